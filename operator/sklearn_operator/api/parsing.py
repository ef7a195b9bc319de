"""From a raw spec to ``SklearnModelSpec``, or to one clear sentence for each thing that is wrong.

Invariant: whatever the input, the answer is a spec or InvalidSpec, never another exception.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from sklearn_operator.api import base, errors, fields, shape
from sklearn_operator.api.problems import InvalidSpec, Problem, join, show
from sklearn_operator.api.spec import SklearnModelSpec

_BOOLEANS = "YAML reads a bare n, y, no, yes, on or off as a boolean; put it in quotes"

#: Names kept for later releases.
RESERVED = frozenset(
    {"spec.monitoring", "spec.tracking", "spec.incremental", "spec.retraining.onDataChange", "spec.retraining.onDrift"}
)


def parse_spec(raw: Mapping[str, Any]) -> SklearnModelSpec:
    """The spec of a manifest, defaults filled in; raises InvalidSpec with everything that is wrong."""
    if not isinstance(raw, Mapping):
        raise InvalidSpec([Problem("spec", show(raw), "must be a mapping with at least data and model")])
    found = shape.problems(raw, "spec")
    if found:
        raise InvalidSpec(found)
    try:
        return SklearnModelSpec.model_validate(raw, by_alias=True, by_name=False, context=base.MANIFEST)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
    raise InvalidSpec([problem for detail in details for problem in _problems(detail)])


def _problems(detail: ErrorDetails) -> Iterator[Problem]:
    path = _path(detail["loc"])
    kind, value, context = detail["type"], detail["input"], detail.get("ctx") or {}
    if kind == errors.BROKEN_RULES:
        for field, message in context["broken"]:
            member = value.get(field) if field and isinstance(value, Mapping) else None
            where = join(path, field) if field else path
            shown = "absent" if field and member is None else show(member if field else value, where)
            yield Problem(where, shown, message)
    elif kind == "too_short" and len(value) >= context["min_length"]:
        return  # pydantic counts the items that are valid; those that are not have been reported
    elif kind == "missing":
        yield Problem(path, "absent", f"is required: {_description(detail['loc'])}")
    elif kind == "extra_forbidden":
        yield Problem(path, show(value, path), _unknown(path, detail["loc"]))
    else:
        yield Problem(path, show(value, path), _sentence(kind, value, context, detail["msg"]))


def _path(location: tuple[int | str, ...]) -> str:
    path = "spec"
    for part in location:
        if part == "[key]":
            continue
        path = join(path, part)
    return path


def _sentence(kind: str, value: Any, context: Mapping[str, Any], message: str) -> str:
    if kind == errors.ADVICE:
        return message
    if kind in ("string_type", "literal_error") and isinstance(value, bool):
        allowed = f"must be one of {_choices(context)}" if kind == "literal_error" else "must be text"
        return f"{allowed}; {_BOOLEANS}"
    writer = _WRITERS.get(kind)
    return writer(value, context) if writer else f"is not valid: {message}"


def _text_expected(value: Any, _: Mapping[str, Any]) -> str:
    number = isinstance(value, (int, float))
    return 'must be text; put a number in quotes, as in "1"' if number else "must be text"


def _literal(value: Any, context: Mapping[str, Any]) -> str:
    choices = [choice.strip("'") for choice in _choices(context).replace(" or ", ", ").split(", ")]
    close = [choice for choice in choices if choice.lower() == str(value).lower()[:64]]
    close = close or difflib.get_close_matches(str(value)[:64], choices, n=1, cutoff=0.7)
    return f"must be one of {', '.join(choices)}" + (f"; did you mean {close[0]}?" if close else "")


def _choices(context: Mapping[str, Any]) -> str:
    return str(context.get("expected", "")).replace("'", "")


def _pattern(_: Any, context: Mapping[str, Any]) -> str:
    return fields.words_for(str(context.get("pattern"))) or f"must match {context.get('pattern')}"


def _too_short(_: Any, context: Mapping[str, Any]) -> str:
    least = context.get("min_length")
    return "must not be empty" if least == 1 else f"must have at least {least} entries"


_WRITERS: dict[str, typing.Callable[[Any, Mapping[str, Any]], str]] = {
    "string_type": _text_expected,
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
    "string_too_short": lambda _, context: (
        "must not be empty" if context["min_length"] == 1 else f"must have at least {context['min_length']} characters"
    ),
    "string_too_long": lambda _, context: f"must have at most {context['max_length']} characters",
    "too_short": _too_short,
    "too_long": lambda _, context: f"must have at most {context['max_length']} entries",
    "bool_type": lambda *_: "must be true or false, without quotes",
    "int_type": lambda *_: "must be a whole number, without quotes",
    "float_type": lambda *_: "must be a number, without quotes",
    "greater_than": lambda _, context: f"must be more than {context['gt']:g}",
    "greater_than_equal": lambda _, context: f"must be at least {context['ge']:.15g}",
    "less_than": lambda _, context: f"must be less than {context['lt']:g}",
    "less_than_equal": lambda _, context: f"must be at most {context['le']:.15g}",
    "model_type": lambda *_: "must be a mapping of fields",
    "dict_type": lambda *_: "must be a mapping of names to values",
    "tuple_type": lambda *_: "must be a list",
}


def _unknown(path: str, location: tuple[int | str, ...]) -> str:
    model = _model_at(location[:-1])
    known = sorted(field.alias or name for name, field in model.model_fields.items()) if model else []
    name = str(location[-1])
    if path in RESERVED:
        return "the name is kept for a later release; remove it"
    if name in ("true", "false"):
        return f"there is no such field; {_BOOLEANS}"
    close = difflib.get_close_matches(name[:64], known, n=1, cutoff=0.6)
    advice = f"did you mean {close[0]}? " if close else ""
    return f"there is no such field; {advice}There are {', '.join(known)}"


def _description(location: tuple[int | str, ...]) -> str:
    model = _model_at(location[:-1])
    for field in model.model_fields.values() if model else ():
        if field.alias == location[-1]:
            return str(field.description).rstrip(".")
    return "give it a value"


def _model_at(location: tuple[int | str, ...]) -> type[base.ApiModel] | None:
    """The model that the location leads to, by the types of the fields on the way."""
    current: Any = SklearnModelSpec
    for part in location:
        if isinstance(part, int):
            continue  # the item type of a tuple is found where its field is looked up
        model = _model_in(current)
        field = next((field for field in model.model_fields.values() if field.alias == part), None) if model else None
        if field is None:
            return None
        current = field.annotation
    return _model_in(current)


def _model_in(annotation: Any) -> type[base.ApiModel] | None:
    parts = typing.get_args(annotation)
    if parts:
        return next((model for part in parts if (model := _model_in(part))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, base.ApiModel) else None
