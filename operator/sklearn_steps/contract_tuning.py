"""The contract's part about tuning: what to search, how far the search is, how it went.

Invariant: pydantic is the only library imported, as in ``contract``. What goes into a status is bounded here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic

from sklearn_steps.documents import Document, FiniteFloat, Strict

#: Of parameters in documents that the operator copies into a status, as JSON.
PARAMS_LIMIT = 24 * 1024

#: Of a step, for sums of floats that do not quite reach the end.
_TOLERANCE = 1e-9

Direction = Literal["Maximize", "Minimize"]
Count = Annotated[int, pydantic.Field(ge=0)]


class Objective(Strict):
    """``metric``: a scorer's name; absent, the first metric of the evaluation."""

    metric: str | None = None
    goal: FiniteFloat | None = None
    direction: Direction = "Maximize"


class TuningParameter(Strict):
    """One dimension. Double and Int have min and max, Categorical has values, typed as in an estimator's params."""

    name: str
    type: Literal["Double", "Int", "Categorical"]
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    step: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    log: bool = False
    values: tuple[Any, ...] = ()

    @pydantic.model_validator(mode="after")
    def _complete(self) -> TuningParameter:
        if self.type == "Categorical":
            if not self.values:
                raise ValueError("type Categorical needs values")
        elif self.min is None or self.max is None or self.min >= self.max:
            raise ValueError(f"type {self.type} needs a min below its max")
        elif self.log and self.min <= 0:
            raise ValueError("log needs a min above 0")
        return self

    @property
    def count(self) -> int | None:
        """How many values there are; None for a continuum."""
        if self.type == "Categorical":
            return len(self.values)
        step = self.step or (1.0 if self.type == "Int" else None)
        if step is None or self.min is None or self.max is None:
            return None
        return math.floor((self.max - self.min) / step + _TOLERANCE) + 1


class TuningFolds(Strict):
    folds: Annotated[int, pydantic.Field(ge=2)] = 5


class Tuning(Strict):
    """A search in process; ``trials`` counts the given parameters, which are trial 0."""

    algorithm: Literal["Grid", "Random", "Halving", "TPE"] = "Random"
    trials: Annotated[int, pydantic.Field(ge=1)] = 12
    parallel_trials: Annotated[int, pydantic.Field(ge=1)] = 2
    max_failed_trials: Annotated[int, pydantic.Field(ge=0)] = 3
    timeout_seconds: Annotated[float, pydantic.Field(gt=0)] = 600
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**32)] = 0
    objective: Objective = Objective()
    cross_validation: TuningFolds | None = None
    parameters: Annotated[tuple[TuningParameter, ...], pydantic.Field(min_length=1)]


def _bounded(params: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(params)) > PARAMS_LIMIT:
        raise ValueError(f"the parameters take more than {PARAMS_LIMIT} bytes")
    return params


BestParams = Annotated[dict[str, pydantic.JsonValue], pydantic.AfterValidator(_bounded)]


class SearchState(Document):
    """How far a search is. The given parameters are trial 0 and have ``baseline_score``."""

    total: Count
    completed: Count
    failed: Count
    best_score: FiniteFloat | None = None
    best_params: BestParams | None = None
    baseline_score: FiniteFloat | None = None


#: Who hears how far a search is.
Tell = Callable[[SearchState], None]


class Progress(SearchState):
    """``progress.json``: replaced at most every five seconds while trials run."""

    format_version: Literal[1] = 1
    run_id: str
    version: str
    attempt: int
    at: datetime


class TuningResult(SearchState):
    """How a search went. ``ended``: all Trials, the Goal, the Timeout, or no further point in the Space."""

    algorithm: str
    engine: Literal["InProcess"] = "InProcess"
    metric: str
    folds: int | None = None
    best_trial: Count
    ended: Literal["Trials", "Goal", "Timeout", "Space"]
