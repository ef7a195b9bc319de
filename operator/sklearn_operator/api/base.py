"""What all models of the API share: one base class and one kind of cross-field rule.

Invariant: a rule is written down once and enforced twice, by the API server (CEL) and by this package (Python), with
the same message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pydantic
import pydantic_core
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue

from sklearn_operator.api import errors

VALIDATIONS = "x-kubernetes-validations"
FREE_FORM = "x-kubernetes-preserve-unknown-fields"

#: Passed as validation context where the input is a manifest: there a null is a mistake, not an absent field.
MANIFEST = "manifest"


@dataclass(frozen=True)
class Rule:
    """``cel`` and ``holds`` say the same; ``field`` (the name in the manifest) is where the message points.

    ``cel`` is None where CEL cannot see: a free-form field does not exist for it. Then only we check.
    """

    cel: str | None
    message: str
    holds: Callable[[Any], bool]
    field: str | None = None

    def schema(self) -> dict[str, str]:
        located = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel or "", "message": self.message} | located


def given(model: pydantic.BaseModel, field: str) -> bool:
    """CEL's ``has()``: the manifest sets the field."""
    return field in model.model_fields_set and getattr(model, field) is not None


def one_of(*fields: str) -> Rule:
    """Exactly one of the named fields (spelled as in Python) is set."""
    names = [to_camel(field.rstrip("_")) for field in fields]
    listed = ", ".join(f"has(self.{name})" for name in names)
    message = f"set exactly one of {', '.join(names[:-1])} and {names[-1]}"
    return Rule(
        f"[{listed}].exists_one(x, x)", message, lambda model: sum(given(model, field) for field in fields) == 1
    )


def unique(field: str, key: str, what: str) -> Rule:
    """No two items of a list share the value of ``key``."""
    cel = f"!has(self.{field}) || self.{field}.all(x, self.{field}.exists_one(y, y.{key} == x.{key}))"
    return Rule(cel, f"{what} must differ from each other", lambda model: _differ(getattr(model, field), key), field)


def _differ(items: Sequence[Any] | None, key: str) -> bool:
    values = [getattr(item, key) for item in items or ()]
    return len(values) == len(set(values))


class ApiModel(pydantic.BaseModel):
    """Frozen, closed, camelCase outside and snake_case inside."""

    #: A part is built within the whole, when that is first needed, and not once more by itself.
    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
        defer_build=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    def __deepcopy__(self, memo: Any = None) -> Self:
        """Nobody changes it; pydantic would copy every default that is a model for every manifest."""
        return self

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        if value is None and info.context == MANIFEST:
            raise errors.advice("is null; give it a value or leave the field out")
        return value

    @pydantic.model_validator(mode="after")
    def _keep_rules(self) -> Self:
        broken = [(rule.field, rule.message) for rule in self.rules if not rule.holds(self)]
        if broken:
            raise errors.broken_rules(broken)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: pydantic_core.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        reference = handler(core_schema)
        visible = [rule.schema() for rule in cls.rules if rule.cel]
        if visible:
            handler.resolve_ref_schema(reference)[VALIDATIONS] = visible
        return reference


def distinct(key: str, what: str) -> pydantic.AfterValidator:
    """For lists that the API server itself keeps unique (list type map): the same check, with our words."""

    def check(items: tuple[Any, ...]) -> tuple[Any, ...]:
        if not _differ(items, key):
            raise errors.advice(f"{what} must differ from each other")
        return items

    return pydantic.AfterValidator(check)


def list_map(*keys: str) -> dict[str, Any]:
    """A list whose items the API server tells apart by ``keys``, so that several owners can share it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
