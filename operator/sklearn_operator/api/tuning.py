"""``spec.tuning``: the search for better parameters.

Invariant: the test part of the data takes no part in the search.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from sklearn_operator.api import base, fields
from sklearn_operator.api.base import ApiModel, Rule, given

Values = Annotated[
    tuple[Any, ...],
    Field(min_length=1, max_length=64),
    pydantic.WithJsonSchema(
        {"type": "array", "minItems": 1, "maxItems": 64, "items": {base.FREE_FORM: True}},
    ),
]


class CrossValidation(ApiModel):
    """Cross-validation instead of one held-out part."""

    folds: Annotated[fields.Whole, Field(ge=2, le=50)] = Field(default=5, description="Number of folds. Default 5.")


class Objective(ApiModel):
    """What the search is after."""

    metric: fields.MetricName | None = Field(
        default=None, description="A scikit-learn scorer; by default the first of evaluation.metrics."
    )
    goal: fields.Number | None = Field(default=None, description="The search ends early once this is reached.")
    direction: Literal["Maximize", "Minimize"] = Field(
        default="Maximize", description="scikit-learn's own scorers are all better when greater. Default Maximize."
    )


def _whole(value: float | None) -> bool:
    return value is None or value.is_integer()


class TuningParameter(ApiModel):
    """One dimension of the search."""

    rules: ClassVar = (
        Rule(
            None,
            "type Categorical needs values",
            lambda one: one.type != "Categorical" or given(one, "values"),
            "values",
        ),
        Rule(
            "self.type != 'Categorical' || !(has(self.min) || has(self.max) || has(self.step) || has(self.log))",
            "type Categorical has values only: remove min, max, step and log",
            lambda one: one.type != "Categorical" or not any(given(one, x) for x in ("min", "max", "step", "log")),
        ),
        Rule(
            "self.type == 'Categorical' || (has(self.min) && has(self.max))",
            "types Double and Int need min and max",
            lambda one: one.type == "Categorical" or (given(one, "min") and given(one, "max")),
        ),
        Rule(
            None,
            "values is for type Categorical: remove it, or set type: Categorical",
            lambda one: one.type == "Categorical" or not given(one, "values"),
            "values",
        ),
        Rule(
            "!has(self.min) || !has(self.max) || self.min < self.max",
            "min must be less than max",
            lambda one: one.min is None or one.max is None or one.min < one.max,
            "min",
        ),
        Rule(
            "!(has(self.log) && self.log) || !has(self.min) || self.min > 0.0",
            "log needs a min above 0",
            lambda one: not one.log or one.min is None or one.min > 0,
            "min",
        ),
        Rule(
            "!(has(self.log) && self.log) || !has(self.step)",
            "log and step exclude each other: remove one",
            lambda one: not one.log or one.step is None,
            "step",
        ),
        Rule(
            "self.type != 'Int' || [has(self.min) ? self.min : 0.0, has(self.max) ? self.max : 0.0, "
            "has(self.step) ? self.step : 1.0].all(x, double(int(x)) == x)",
            "type Int needs whole numbers in min, max and step",
            lambda one: one.type != "Int" or all(_whole(x) for x in (one.min, one.max, one.step)),
        ),
    )

    name: fields.ParameterName = Field(
        description="The parameter, such as gamma; in a pipeline step__parameter; of a script a flag's name."
    )
    type: Literal["Double", "Int", "Categorical"] = Field(description="Double and Int have bounds, Categorical values.")
    min: Annotated[fields.Number, Field(ge=-1e15, le=1e15)] | None = Field(
        default=None, description="Least value, inclusive."
    )
    max: Annotated[fields.Number, Field(ge=-1e15, le=1e15)] | None = Field(
        default=None, description="Greatest value, inclusive."
    )
    step: Annotated[fields.Number, Field(gt=0, le=1e15)] | None = Field(
        default=None, description="Distance between values."
    )
    log: fields.Flag = Field(default=False, description="Search on a logarithmic scale. Default false.")
    values: Values | None = Field(
        default=None, description="The values to choose from; {float: 1} and {int: 1} are typed."
    )


class TuningSpec(ApiModel):
    """A search over parameters; the winner is refitted on the whole training part."""

    rules: ClassVar = (
        base.unique("parameters", "name", "the names of the parameters"),
        Rule(
            "!(has(self.algorithm) && self.algorithm == 'Grid') || "
            "self.parameters.all(p, p.type != 'Double' || has(p.step))",
            "algorithm Grid needs a step for every parameter of type Double (or values and type Categorical)",
            lambda tuning: (
                tuning.algorithm != "Grid"
                or all(one.type != "Double" or one.step is not None for one in tuning.parameters)
            ),
            "parameters",
        ),
    )

    algorithm: Literal["Grid", "Random", "Halving", "TPE"] = Field(
        default="Random", description="How the search goes. Default Random."
    )
    engine: Literal["Auto", "InProcess", "Katib"] = Field(
        default="Auto", description="Inside the training task, or as Katib trials. Default Auto."
    )
    trials: Annotated[fields.Whole, Field(ge=1, le=10000)] = Field(
        default=12, description="Trials at most; the given parameters are the first of them. Default 12."
    )
    parallel_trials: Annotated[fields.Whole, Field(ge=1, le=256)] = Field(
        default=2, description="Trials at the same time, as far as the CPU limit allows. Default 2."
    )
    max_failed_trials: Annotated[fields.Whole, Field(ge=0, le=10000)] = Field(
        default=3, description="So many failed trials are tolerated. Default 3."
    )
    timeout: fields.Duration = Field(
        default="10m", description="The search ends after this; the best so far wins. Default 10m."
    )
    seed: fields.Seed = Field(default=0, description="Seed of the search. Default 0.")
    objective: Objective = Field(default=Objective(), description="What the search is after.")
    cross_validation: CrossValidation | None = Field(
        default=None, description="Judge trials by cross-validation; absent: by a validation part of the training data."
    )
    parameters: Annotated[tuple[TuningParameter, ...], Field(min_length=1, max_length=32)] = Field(
        description="The dimensions of the search."
    )
