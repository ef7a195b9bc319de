"""``spec.evaluation``: how a trained version is judged, and the gates it has to pass.

Invariant: figures are those of scikit-learn's own scorers on the test part; gates judge, they never retrain.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from sklearn_operator.api import errors, fields
from sklearn_operator.api.base import ApiModel, Rule, given
from sklearn_operator.api.tuning import CrossValidation


def _distinct(names: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(names)) != len(names):
        raise errors.advice("names a metric twice")
    return names


class Gate(ApiModel):
    """A bound that a version must keep to be served."""

    rules: ClassVar = (
        Rule(
            "has(self.min) || has(self.max) || has(self.compareTo)",
            "a gate needs min, max or compareTo",
            lambda gate: given(gate, "min") or given(gate, "max") or given(gate, "compare_to"),
        ),
        Rule(
            "!has(self.min) || !has(self.max) || self.min <= self.max",
            "min must not be more than max",
            lambda gate: gate.min is None or gate.max is None or gate.min <= gate.max,
            "min",
        ),
        Rule(
            "!has(self.maxRegression) || has(self.compareTo)",
            "maxRegression belongs to compareTo: set compareTo: Serving, or remove it",
            lambda gate: not given(gate, "max_regression") or given(gate, "compare_to"),
            "maxRegression",
        ),
    )

    metric: fields.MetricName = Field(description="A scikit-learn scorer, such as accuracy.")
    min: fields.Number | None = Field(default=None, description="The metric must be at least this.")
    max: fields.Number | None = Field(default=None, description="The metric must be at most this.")
    compare_to: Literal["Serving"] | None = Field(
        default=None, description="Compare with the version that serves, on the same test data."
    )
    max_regression: Annotated[fields.Number, Field(ge=0)] = Field(
        default=0.0, description="By how much the metric may be worse than the serving version's. Default 0."
    )


class EvaluationSpec(ApiModel):
    """How a version is judged."""

    metrics: Annotated[tuple[fields.MetricName, ...], Field(max_length=16), pydantic.AfterValidator(_distinct)] = Field(
        default=(),
        description="scikit-learn scorer names; the first is the headline. By default by the kind of estimator: "
        "accuracy, balanced_accuracy, f1_macro; r2, neg_mean_absolute_error, neg_root_mean_squared_error; silhouette.",
    )
    cross_validation: CrossValidation | None = Field(
        default=None, description="Judge by cross-validation as well, for the spread of the figures."
    )
    gates: Annotated[tuple[Gate, ...], Field(max_length=16)] = Field(
        default=(),
        description="Bounds that a version must keep, or it is rejected; changing them judges anew, no retraining.",
    )
