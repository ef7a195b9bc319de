"""What the steps hand to each other: a part of the data, and the documents that go with data, model and evaluation.

Invariant: nothing is pickled but the model itself. Arrays travel as npz, tables as Parquet; both keep dtypes, names and
the order of rows and columns exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pydantic

from sklearn_steps import contract, contract_tuning

if TYPE_CHECKING:
    import pandas as pd

ABOUT = "about.json"
TRAINING = "training.json"
EVALUATION = "evaluation.json"
PRETRAINED = "pretrained.joblib"
_ARRAYS = "data.npz"
_TABLE = "data.parquet"
_ROWS = "rows.npz"
_BESIDE = ("weight", "groups")


class Column(pydantic.BaseModel):
    """One feature as the model gets it; ``dtype`` is numpy's name for it, ``kind`` the one of ``kinds``."""

    name: str
    dtype: str
    categorical: bool = False
    kind: str = "number"


class About(pydantic.BaseModel):
    """The data set as a whole: the same in its training and its test part.

    ``ignored``: columns that a declared pipeline drops unseen; ``grouped``: those that its groups take.
    """

    source: str
    sha256: str
    rows: int
    train_rows: int = 0
    test_rows: int = 0
    table: bool
    columns: list[Column]
    ignored: list[str] = []
    grouped: list[str] = []
    target: list[str]
    class_names: list[str] | None = None
    notes: list[str] = []
    profile: list[dict[str, Any]] = []

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def times(self) -> list[str]:
        return [column.name for column in self.columns if column.kind == "datetime"]

    @property
    def categorical(self) -> list[str]:
        return [column.name for column in self.columns if column.categorical]


class Trial(pydantic.BaseModel):
    """One trial of a search; trial 0 has the parameters as given.

    ``params``: all tuned parameters, in the manifest's order and in values that JSON has. ``score`` is the mean of
    ``scores``, one per fold, or the one of the validation part; both are empty where the trial failed, and ``reason``
    says why. ``rows``: it was fitted on so many rows only (Halving), so it cannot win; None: on all there are.
    """

    number: int
    params: dict[str, Any]
    state: Literal["Completed", "Failed"]
    score: float | None = None
    scores: list[float] = []
    seconds: float
    rows: int | None = None
    reason: str = ""


class Tuning(pydantic.BaseModel):
    """A whole search, for the card and for ``trials.parquet``; ``trials`` is in the order of their numbers.

    A trial that is not in the list was not run: ``result.ended`` says why.
    """

    result: contract_tuning.TuningResult
    direction: contract_tuning.Direction
    goal: float | None
    seed: int
    parallel: int
    seconds: float
    fit_rows: int
    validation_rows: int | None
    trials: list[Trial]


class LearningCurve(pydantic.BaseModel):
    """How the metric grows with the rows: of those it was fitted on, and of a held-out part of the training part."""

    metric: str
    rows: list[int]
    fitted: list[float]
    held_out: list[float]
    held_out_rows: int


class Training(pydantic.BaseModel):
    """What is known of a fitted model besides its bytes.

    ``run_id``: of the run that fitted it. ``left_out``: what the card would have shown, had it not been too expensive.
    ``script_metrics``: figures that a script says of itself.
    """

    run_id: str
    about: About
    estimator: str
    estimator_type: contract.EstimatorType
    classes: list[Any] | None
    outputs: list[str]
    params: dict[str, Any]
    fit_seconds: float
    versions: dict[str, str]
    requirements: list[str]
    needs: list[str] = []
    notes: list[str]
    tuning: Tuning | None = None
    cross_validation: contract.CrossValidated | None = None
    learning_curve: LearningCurve | None = None
    left_out: list[str] = []
    git_commit: str | None = None
    script_metrics: dict[str, float] = {}


class Evaluation(pydantic.BaseModel):
    """The judgement; the files beside it are for people and for serving."""

    metrics: dict[str, float]
    headline: str | None
    notes: list[str]
    compared_with: contract.Compared | None = None
    gates: tuple[contract.Judgement, ...] = ()


@dataclass
class Part:
    """Rows to train on or to judge by; ``X`` is an array or a DataFrame, ``y`` an array or None.

    ``weight`` and ``groups`` (codes, so that folds may keep groups together, too) have one number per row, or are None.
    """

    X: Any
    y: Any
    about: About
    weight: Any = None
    groups: Any = None


def taken(part: Part, rows: Any) -> Part:
    """The rows at these positions, in that order."""
    X = part.X.iloc[rows].reset_index(drop=True) if hasattr(part.X, "iloc") else part.X[rows]
    values = [None if array is None else array[rows] for array in (part.y, part.weight, part.groups)]
    return Part(X, values[0], part.about, *values[1:])


def save(part: Part, folder: Path) -> None:
    """Write a part as a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if part.about.table:
        _save_table(part, folder / _TABLE)
    else:
        import numpy as np

        np.savez(folder / _ARRAYS, **{"X": part.X} | ({} if part.y is None else {"y": part.y}))
    _save_beside(part, folder)
    write(part.about, folder / ABOUT)


def load(folder: Path) -> Part:
    """Read a part that ``save`` wrote."""
    about = About.model_validate_json((folder / ABOUT).read_bytes())
    if about.table:
        part = _load_table(folder / _TABLE, about)
    else:
        import numpy as np

        with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
            part = Part(arrays["X"], arrays.get("y"), about)
    return _with_beside(part, folder)


def write(document: pydantic.BaseModel, path: Path) -> None:
    """Write a document as JSON."""
    path.write_bytes(document.model_dump_json().encode())


def _save_beside(part: Part, folder: Path) -> None:
    given = {name: getattr(part, name) for name in _BESIDE if getattr(part, name) is not None}
    if given:
        import numpy as np

        np.savez(folder / _ROWS, **given)


def _with_beside(part: Part, folder: Path) -> Part:
    if not (folder / _ROWS).exists():
        return part
    import numpy as np

    with np.load(folder / _ROWS, allow_pickle=False) as arrays:
        return replace(part, **{name: arrays[name] for name in _BESIDE if name in arrays})


def _save_table(part: Part, path: Path) -> None:
    frame: pd.DataFrame = part.X.copy()
    for name in part.about.categorical:
        frame[name] = frame[name].astype("category")  # Parquet has no column of objects
    for position, name in enumerate(part.about.target):
        frame[name] = part.y if part.y.ndim == 1 else part.y[:, position]
    frame.to_parquet(path, index=False)


def _load_table(path: Path, about: About) -> Part:
    import numpy as np
    import pandas as pd

    frame = pd.read_parquet(path)
    y = None
    if about.target:
        y = frame[about.target].to_numpy()
        y = np.ascontiguousarray(y[:, 0] if len(about.target) == 1 else y)
    features = frame[about.names].astype({column.name: column.dtype for column in about.columns})
    return Part(features, y, about)


def json_safe(value: Any) -> Any:
    """The same in values that JSON has: numpy scalars become Python's, and what is not finite or known becomes None."""
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_safe(item) for item in value]
    if hasattr(value, "tolist"):  # arrays and scalars of numpy
        return json_safe(value.tolist())
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return None if value != value else str(value)
