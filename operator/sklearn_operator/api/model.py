"""``spec.model``: what is trained, in one of four ways of saying it.

Invariant: a class is a name, never code: nothing here is imported or evaluated. Parameters are free-form, because only
scikit-learn knows them; the operator checks them against its catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from sklearn_operator.api import base, errors, fields
from sklearn_operator.api.base import ApiModel, Rule, given
from sklearn_operator.api.data import ConfigMapKeyRef

_FREE = {base.FREE_FORM: True}

Params = Annotated[
    dict[Annotated[str, Field(max_length=128)], Any],
    Field(max_length=128),
    pydantic.WithJsonSchema({"type": "object", "maxProperties": 128, **_FREE}),
]


def _scalars(value: Any) -> Any:
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if not isinstance(item, (str, int, float)):
            raise errors.advice(f"{str(key)[:64]} must be a text, a number or a boolean")
    return value


ScriptArgs = Annotated[
    dict[fields.ParameterName, str | bool | int | float],
    Field(max_length=128),
    pydantic.BeforeValidator(_scalars),
    pydantic.WithJsonSchema({"type": "object", "maxProperties": 128, **_FREE}),
]


def _select(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"dtype"} and value["dtype"] in _DTYPES:
            return dict(value)
        raise errors.advice(f"must be a list of columns, or {{dtype: D}} where D is one of {', '.join(_DTYPES)}")
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) and 0 < len(name) <= 256 for name in value):
        if 0 < len(value) <= 1024:
            return tuple(value)
        raise errors.advice("must name 1 to 1024 columns")
    raise errors.advice(
        "must be a list of column names such as [island, sex], or {dtype: number}; names in quotes where "
        "YAML takes them for booleans or numbers"
    )


_DTYPES = ("number", "string", "category", "boolean", "datetime")

Select = Annotated[
    dict[str, str] | tuple[str, ...], pydantic.BeforeValidator(_select), pydantic.WithJsonSchema({base.FREE_FORM: True})
]


class EstimatorSpec(ApiModel):
    """A scikit-learn class and its parameters."""

    class_: fields.ClassPath = Field(alias="class", description="Full path of the class, such as sklearn.svm.SVC.")
    params: Params = Field(
        default={},
        description="Parameters of its constructor. A nested {class, params} is an estimator; {int: 1} and {float: 1} "
        "say which of the two a number is.",
    )


class ColumnGroup(ApiModel):
    """One branch of a ColumnTransformer."""

    name: fields.StepName = Field(description="Name of the branch; parameters are addressed by it.")
    select: Select = Field(description="The columns: a list of names, or {dtype: number} and the like.")
    steps: Annotated[tuple[EstimatorSpec, ...], Field(min_length=1, max_length=8)] = Field(
        description="Transformers, applied one after the other."
    )


class PipelineStep(ApiModel):
    """One step of an sklearn Pipeline."""

    rules: ClassVar = (
        base.one_of("class_", "columns"),
        base.unique("columns", "name", "the names of the column groups"),
        Rule(
            "!has(self.params) || has(self.class)",
            "params belongs to class; a step of columns has none",
            lambda step: not given(step, "params") or given(step, "class_"),
            "params",
        ),
        Rule(
            "!has(self.remainder) || has(self.columns)",
            "remainder belongs to columns; a step of one class has none",
            lambda step: not given(step, "remainder") or given(step, "columns"),
            "remainder",
        ),
    )

    name: fields.StepName = Field(
        description="Name of the step; parameters are addressed by it, as in name__parameter."
    )
    class_: fields.ClassPath | None = Field(
        default=None,
        alias="class",
        description="Full path of the step's class, such as sklearn.preprocessing.StandardScaler.",
    )
    params: Params = Field(default={}, description="Parameters of the class.")
    columns: Annotated[tuple[ColumnGroup, ...], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="A ColumnTransformer: what is done to which columns."
    )
    remainder: Literal["drop", "passthrough"] = Field(
        default="drop", description="What becomes of the columns that no group selects. Default drop."
    )

    @pydantic.model_serializer(mode="wrap")
    def _without_the_others(self, handler: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Defaults of fields that this kind of step must not set would be refused when they are read again."""
        written: dict[str, Any] = handler(self)
        written.pop("remainder" if self.columns is None else "params", None)
        return written


class GitSource(ApiModel):
    """A file in a git repository that needs no credentials."""

    url: fields.GitUrl = Field(description="Address of the repository, over http(s), without credentials.")
    revision: fields.GitRevision = Field(description="Commit, tag or branch; a commit never moves.")
    path: fields.RelativePath = Field(description="The script, as a path inside the repository.")


class ScriptSource(ApiModel):
    """Where the training script is."""

    rules: ClassVar = (base.one_of("config_map", "inline", "git"),)

    config_map: ConfigMapKeyRef | None = Field(
        default=None, description="A ConfigMap's key; its other keys lie beside the script in the task."
    )
    inline: Annotated[str, fields.text(32 * 1024)] | None = Field(
        default=None, description="The script's text, at most 32 KiB."
    )
    git: GitSource | None = Field(default=None, description="A file in a git repository.")


class ScriptSpec(ApiModel):
    """The user's own training script."""

    source: ScriptSource = Field(description="Where it is: exactly one of configMap, inline and git.")
    args: ScriptArgs = Field(
        default={}, description="Given as --name value, on the command line; tuning sets the same flags."
    )


class PretrainedSpec(ApiModel):
    """A model made elsewhere: judged, gated and served, not trained."""

    uri: fields.StoreUri = Field(description="The joblib file, such as s3://bucket/model.joblib.")
    sha256: fields.Sha256 = Field(description="Its SHA-256; loaded only if it matches.")


class ModelSpec(ApiModel):
    """What is trained."""

    rules: ClassVar = (
        base.one_of("estimator", "pipeline", "script", "pretrained"),
        base.unique("pipeline", "name", "the names of the steps"),
        Rule(
            "!has(self.pipeline) || size(self.pipeline) == 0 || has(self.pipeline[size(self.pipeline) - 1].class)",
            "the last step of a pipeline is the estimator: it needs class",
            lambda model: not model.pipeline or model.pipeline[-1].class_ is not None,
            "pipeline",
        ),
    )

    estimator: EstimatorSpec | None = Field(default=None, description="One scikit-learn estimator.")
    pipeline: Annotated[tuple[PipelineStep, ...], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="An sklearn Pipeline; the last step is the estimator."
    )
    script: ScriptSpec | None = Field(default=None, description="Your own training script.")
    pretrained: PretrainedSpec | None = Field(default=None, description="A model made elsewhere.")
