"""What a model is made of, as the run's configuration says it: classes, their parameters, steps and groups of columns.

Invariant: pydantic and nothing else is imported, because the long-lived operator reads ``contract``, which reads this.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from sklearn_steps import documents


class EstimatorSpec(documents.Strict):
    """``{class, params}``; params hold typed values, and the same form again for nested estimators."""

    class_: Annotated[str, pydantic.Field(alias="class")]
    params: dict[str, Any] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("params", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return {} if value is None else value


class SelectKind(documents.Strict):
    """All columns of one kind."""

    dtype: Literal["number", "string", "category", "boolean", "datetime"]


class ColumnGroup(documents.Strict):
    """One branch of a ColumnTransformer; ``select`` are the names of its columns, or their kind."""

    name: str
    select: SelectKind | tuple[str, ...]
    steps: Annotated[tuple[EstimatorSpec, ...], pydantic.Field(min_length=1)]


class PipelineStep(documents.Strict):
    """One step: a class with its params, or the groups of a ColumnTransformer."""

    name: str
    class_: Annotated[str | None, pydantic.Field(alias="class")] = None
    params: dict[str, Any] = pydantic.Field(default_factory=dict)
    columns: Annotated[tuple[ColumnGroup, ...], pydantic.Field(min_length=1)] | None = None
    remainder: Literal["drop", "passthrough"] = "drop"

    @pydantic.model_validator(mode="after")
    def _one(self) -> PipelineStep:
        if (self.class_ is None) == (self.columns is None):
            raise ValueError("exactly one of class and columns is needed")
        return self

    @property
    def estimator(self) -> EstimatorSpec:
        """The class and its params, of a step that has one."""
        return EstimatorSpec.model_validate({"class": self.class_, "params": self.params})
