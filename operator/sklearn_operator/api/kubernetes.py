"""Shapes that Kubernetes itself defines: resources, tolerations, environment variables.

Invariant: field names and meanings are those of the pod spec, so that what people know holds here too; no field can
name an object in another namespace.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from sklearn_operator.api import base, errors, fields
from sklearn_operator.api.base import ApiModel, Rule, given


def _quantity(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise errors.advice(f"{fields.QUANTITY.words}; put a number with a fraction in quotes")
    if isinstance(value, int) and value < 0:
        raise errors.advice(fields.QUANTITY.words)
    return value


#: Kept as written: rewriting "1000m" as "1" would be a difference for every GitOps tool.
Quantity = Annotated[
    int | Annotated[str, fields.text(32, fields.QUANTITY)],
    pydantic.BeforeValidator(_quantity),
    pydantic.WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": fields.QUANTITY.expression,
            "maxLength": 32,
            "x-kubernetes-int-or-string": True,
        }
    ),
]
Quantities = Annotated[dict[fields.LabelKey, Quantity], Field(max_length=16)]


class Resources(ApiModel):
    """Resources of a container."""

    requests: Quantities = Field(
        default={}, description="What the scheduler sets aside, by name: cpu, memory, nvidia.com/gpu."
    )
    limits: Quantities = Field(
        default={}, description="What must not be exceeded, by name: cpu, memory, nvidia.com/gpu."
    )


class Toleration(ApiModel):
    """A taint that pods may live with."""

    key: fields.LabelKey | None = Field(
        default=None, description="The taint's key; absent with operator Exists: every taint."
    )
    operator: Literal["Exists", "Equal"] | None = Field(
        default=None, description="How key and value are compared: Equal."
    )
    value: fields.LabelValue | None = Field(default=None, description="The taint's value, for operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect; absent: every effect."
    )
    toleration_seconds: fields.Whole | None = Field(
        default=None, description="How long a NoExecute taint is tolerated; absent: for ever."
    )


class LocalObjectReference(ApiModel):
    """An object in the same namespace."""

    name: fields.ObjectName = Field(description="Its name.")


class KeySelector(ApiModel):
    """One key of a Secret or ConfigMap in the same namespace."""

    name: fields.ObjectName = Field(description="Name of the object, in the same namespace.")
    key: fields.ConfigMapKeyName = Field(description="The key in it.")
    optional: fields.Flag | None = Field(default=None, description="Whether the object or the key may be missing.")


class FieldSelector(ApiModel):
    """A field of the pod itself."""

    field_path: Annotated[str, fields.text(256)] = Field(description="Such as metadata.name or status.podIP.")


class EnvVarSource(ApiModel):
    """Where a variable's value comes from."""

    rules: ClassVar = (base.one_of("secret_key_ref", "config_map_key_ref", "field_ref"),)

    secret_key_ref: KeySelector | None = Field(default=None, description="A key of a Secret.")
    config_map_key_ref: KeySelector | None = Field(default=None, description="A key of a ConfigMap.")
    field_ref: FieldSelector | None = Field(default=None, description="A field of the pod.")


class EnvVar(ApiModel):
    """An environment variable."""

    rules: ClassVar = (
        Rule(
            "!(has(self.value) && has(self.valueFrom))",
            "set value or valueFrom, not both",
            lambda variable: not (given(variable, "value") and given(variable, "value_from")),
            "valueFrom",
        ),
    )

    name: fields.VariableName = Field(description="Name of the variable.")
    value: Annotated[str, fields.text(4096, least=0)] | None = Field(
        default=None, description="Its value; never a secret: use valueFrom."
    )
    value_from: EnvVarSource | None = Field(default=None, description="Where its value comes from.")
