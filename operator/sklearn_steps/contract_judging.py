"""The contract's part about judging: what to measure, whom to compare with, which bounds hold, and what came of it.

Invariant: pydantic is the only library imported, as in ``contract``.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from sklearn_steps.documents import Document, FiniteFloat, Sha256, ShortText, Strict

# The metrics where a manifest names none; the first is the headline.
DEFAULT_METRICS: dict[str, tuple[str, ...]] = {
    "classifier": ("accuracy", "balanced_accuracy", "f1_macro"),
    "regressor": ("r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"),
    "clusterer": ("silhouette",),
    "outlier_detector": (),
}
MULTILABEL_METRICS = ("accuracy", "f1_macro")  # the balanced one knows one target only


class CrossValidation(Strict):
    folds: Annotated[int, pydantic.Field(ge=2, le=50)] = 5


class Gate(Strict):
    """A bound that a version must keep to be served; at least one of min, max and compareTo is there."""

    metric: str
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    compare_to: Literal["Serving"] | None = None
    max_regression: FiniteFloat = 0.0


class Predecessor(Strict):
    """The version to compare with, as recorded before the run was submitted; ``uri`` is the folder of its files."""

    version: str
    uri: Annotated[str, pydantic.Field(pattern="/$")]
    sha256: Sha256


class Evaluation(Strict):
    metrics: tuple[str, ...] = ()
    cross_validation: CrossValidation | None = None
    gates: tuple[Gate, ...] = ()
    compare_with: Predecessor | None = None


class Spread(Document):
    """One metric over the folds; ``std`` is numpy's, of the population."""

    mean: FiniteFloat
    std: FiniteFloat
    values: tuple[FiniteFloat, ...]


class CrossValidated(Document):
    """What cross-validation of the training part says; metrics that are undefined in a fold are left out."""

    folds: int
    rows: int
    metrics: dict[str, Spread]


class Compared(Document):
    """The predecessor's metrics on the same test rows; where there are none, ``message`` says why."""

    version: str
    metrics: dict[str, FiniteFloat] = pydantic.Field(default_factory=dict)
    message: ShortText = ""


class Judgement(Document):
    """What one gate says."""

    metric: str
    value: FiniteFloat | None = None
    bound: ShortText
    passed: bool
    message: ShortText
