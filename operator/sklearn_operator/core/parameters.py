"""Estimators and their parameters, by the catalogue that was generated out of the trainer's scikit-learn.

Invariant: nothing is imported to check a name and nothing of the user's is evaluated. A value either has one meaning
or is refused with the way to say which.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn_operator.api import Problem

_MAX_DEPTH = 12


@dataclass(frozen=True)
class Interval:
    """A numeric range; ``closed`` is left, right, both or neither, None bounds are open-ended."""

    type: str
    min: float | None
    max: float | None
    closed: str

    def contains(self, value: float) -> bool:
        low = self.min is None or value > self.min or (value == self.min and self.closed in ("left", "both"))
        high = self.max is None or value < self.max or (value == self.max and self.closed in ("right", "both"))
        return low and high

    def __str__(self) -> str:
        left, right = "[" if self.closed in ("left", "both") else "(", "]" if self.closed in ("right", "both") else ")"
        low = "-inf" if self.min is None else f"{self.min:g}"
        high = "inf" if self.max is None else f"{self.max:g}"
        return f"{'an integer' if self.type == 'int' else 'a number'} in {left}{low}, {high}{right}"


@dataclass(frozen=True)
class Parameter:
    types: frozenset[str] = frozenset()
    options: tuple[Any, ...] = ()
    intervals: tuple[Interval, ...] = ()
    int_or_fraction: bool = False

    @property
    def open(self) -> bool:
        """True when scikit-learn declares nothing about it."""
        return not (self.types or self.options or self.intervals)


@dataclass(frozen=True)
class Estimator:
    path: str
    kind: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Catalogue:
    """What a manifest may name."""

    estimators: Mapping[str, Estimator]
    scorers: Mapping[str, frozenset[str]]
    sklearn: str
    datasets: Mapping[str, str]

    @classmethod
    def parse(cls, text: bytes) -> Catalogue:
        raw = json.loads(text)
        estimators = {path: _estimator(path, entry) for path, entry in raw["classes"].items()}
        scorers = {name: frozenset(kinds) for name, kinds in raw["scorers"].items()}
        kinds = {name: str(entry["targetKind"]) for name, entry in raw["datasets"].items()}
        return cls(estimators, scorers, str(raw["versions"]["sklearn"]), kinds)

    def nearest(self, path: str) -> str:
        """Advice for a class that is not there."""
        name = path.rpartition(".")[2]
        same = [known for known in self.estimators if known.rpartition(".")[2].lower() == name.lower()]
        close = same or difflib.get_close_matches(path, self.estimators, n=1, cutoff=0.75)
        names = {known.rpartition(".")[2]: known for known in self.estimators}
        by_name = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
        found = close[0] if close else (names[by_name[0]] if by_name else None)
        return f"did you mean {found}?" if found else f"scikit-learn {self.sklearn} has no such estimator"


def _estimator(path: str, entry: Mapping[str, Any]) -> Estimator:
    parameters = {name: _parameter(spec) for name, spec in entry.get("params", {}).items()}
    return Estimator(path, str(entry["kind"]), parameters, frozenset(entry.get("required", ())))


def _parameter(spec: Mapping[str, Any]) -> Parameter:
    intervals = tuple(
        Interval(str(item["type"]), item.get("min"), item.get("max"), str(item.get("closed", "both")))
        for item in spec.get("intervals", ())
    )
    return Parameter(
        frozenset(spec.get("types", ())), tuple(spec.get("options", ())), intervals, bool(spec.get("intOrFraction"))
    )


def problems(spec: Mapping[str, Any], catalogue: Catalogue, path: str, depth: int = 0) -> Iterator[Problem]:
    """Everything that is wrong with one ``{class, params}``, each with its path, value and what would be right."""
    if depth > _MAX_DEPTH:
        yield Problem(path, "…", f"estimators are nested deeper than {_MAX_DEPTH}")
        return
    name = str(spec.get("class"))
    estimator = catalogue.estimators.get(name)
    if estimator is None:
        yield Problem(f"{path}.class", _show(name), _unknown_class(name, catalogue))
        return
    given = spec.get("params") or {}
    unknown_keys = set(spec) - {"class", "params"}
    for key in sorted(unknown_keys):
        yield Problem(f"{path}.{key}", _show(spec[key]), "only class and params are known here")
    for parameter in sorted(estimator.required - set(given)):
        yield Problem(f"{path}.params.{parameter}", "absent", f"{name} needs {parameter}")
    for parameter, value in given.items():
        where = f"{path}.params.{parameter}"
        rules = estimator.parameters.get(parameter)
        if rules is None:
            yield Problem(where, _show(value), _unknown_parameter(parameter, estimator))
        else:
            yield from _value_problems(value, rules, catalogue, where, depth)


def _unknown_class(name: str, catalogue: Catalogue) -> str:
    if not name.startswith("sklearn."):
        return "only public classes of scikit-learn can be named, by their full path such as sklearn.svm.SVC; " + (
            catalogue.nearest(name)
        )
    return f"there is no such class; {catalogue.nearest(name)}"


def _unknown_parameter(name: str, estimator: Estimator) -> str:
    if name in ("true", "false"):
        return (
            f"YAML reads the bare words n, y, no, yes, on, off as booleans: put the name in quotes; {_names(estimator)}"
        )
    close = difflib.get_close_matches(name, estimator.parameters, n=1, cutoff=0.6)
    advice = f"did you mean {close[0]}? " if close else ""
    return f"{estimator.path} has no parameter {name}; {advice}{_names(estimator)}"


def _names(estimator: Estimator) -> str:
    return "it takes " + ", ".join(sorted(estimator.parameters))


def _value_problems(value: Any, rules: Parameter, catalogue: Catalogue, path: str, depth: int) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        typed = _typed_form(value)
        if typed is not None:
            kind, inner = typed
            if (
                isinstance(inner, bool)
                or not isinstance(inner, (int, float))
                or (kind == "int" and inner != int(inner))
            ):
                yield Problem(
                    path,
                    _show(value),
                    f"{{{kind}: ...}} takes a number" + (" without fraction" if kind == "int" else ""),
                )
            return
        if "class" in value:
            yield from problems(value, catalogue, path, depth + 1)
            return
        for key, item in value.items():
            yield from _nested(item, catalogue, f"{path}.{key}", depth)
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested(item, catalogue, f"{path}[{index}]", depth)
        if not rules.open and not rules.types & {"list", "array", "estimator", "other", "callable"}:
            yield Problem(path, _show(value), f"must be {expectation(rules)}")
        return
    if rules.int_or_fraction and not isinstance(value, bool) and isinstance(value, (int, float)) and value in (0, 1):
        text = f"{value:g} can mean a count or a share here: write {{int: {value:g}}} or {{float: {value:g}}}"
        yield Problem(path, _show(value), text)
        return
    if not rules.open and not _accepts(value, rules):
        yield Problem(path, _show(value), f"must be {expectation(rules)}{_boolean_hint(value, rules)}")


def _nested(value: Any, catalogue: Catalogue, path: str, depth: int) -> Iterator[Problem]:
    if depth > _MAX_DEPTH:
        yield Problem(path, "…", f"nested deeper than {_MAX_DEPTH}")
    elif isinstance(value, Mapping) and "class" in value:
        yield from problems(value, catalogue, path, depth + 1)
    elif isinstance(value, Mapping) and _typed_form(value) is None:
        for key, item in value.items():
            yield from _nested(item, catalogue, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested(item, catalogue, f"{path}[{index}]", depth + 1)


def _accepts(value: Any, rules: Parameter) -> bool:
    if value is None:
        return "none" in rules.types or None in rules.options
    if isinstance(value, bool):
        return "bool" in rules.types or any(value is option for option in rules.options)
    if isinstance(value, (int, float)):
        return _accepts_number(value, rules)
    if isinstance(value, str):
        return "str" in rules.types or value in rules.options
    return True


def _accepts_number(value: float, rules: Parameter) -> bool:
    if any(
        option == value for option in rules.options if isinstance(option, (int, float)) and not isinstance(option, bool)
    ):
        return True
    whole = float(value).is_integer()
    for interval in rules.intervals:
        if (interval.type == "float" or whole) and interval.contains(value):
            return True
    unbounded = not any(interval.type == "float" for interval in rules.intervals)
    if "float" in rules.types and unbounded:
        return True
    whole_unbounded = not rules.intervals
    return whole and whole_unbounded and bool(rules.types & {"int", "random_state"})


def _boolean_hint(value: Any, rules: Parameter) -> str:
    if isinstance(value, bool) and ("str" in rules.types or any(isinstance(option, str) for option in rules.options)):
        return "; YAML reads the bare words n, y, no, yes, on, off as booleans: put the word in quotes"
    return ""


def expectation(rules: Parameter) -> str:
    """What a parameter takes, in words."""
    parts = [str(interval) for interval in rules.intervals]
    words = {
        "bool": "true or false",
        "none": "null",
        "str": "a string",
        "estimator": "an estimator {class, params}",
        "dict": "a mapping",
        "list": "a list",
        "array": "a list",
        "random_state": "an integer seed",
    }
    parts += [text for kind, text in words.items() if kind in rules.types]
    if not rules.intervals:
        parts += [text for kind, text in (("int", "an integer"), ("float", "a number")) if kind in rules.types]
    parts += [json.dumps(option) for option in rules.options]
    unique: Iterable[str] = dict.fromkeys(parts)
    return " or ".join(unique) or "something else"


def _typed_form(value: Mapping[str, Any]) -> tuple[str, Any] | None:
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in ("int", "float"):
            return kind, inner
    return None


def typed_estimator(spec: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """``{class, params}`` with every number in the type that its parameter takes."""
    estimator = catalogue.estimators.get(str(spec.get("class")))
    known = estimator.parameters if estimator else {}
    params = {
        name: _typed(value, known.get(name, Parameter()), catalogue)
        for name, value in (spec.get("params") or {}).items()
    }
    return {"class": spec["class"], "params": params}


def _typed(value: Any, rules: Parameter, catalogue: Catalogue) -> Any:
    if isinstance(value, Mapping):
        form = _typed_form(value)
        if form is not None:
            return int(form[1]) if form[0] == "int" else float(form[1])
        if "class" in value:
            return typed_estimator(value, catalogue)
        return {key: _typed(item, Parameter(), catalogue) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item, Parameter(), catalogue) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return _number(value, rules)


def _number(value: float, rules: Parameter) -> float | int:
    """``C: 1`` becomes 1.0 where only a float fits, ``degree: 3.0`` becomes 3 where only an integer does."""
    whole = float(value).is_integer()
    takes_int = bool(rules.types & {"int", "random_state"}) or any(
        item.type == "int" and item.contains(value) for item in rules.intervals
    )
    takes_float = "float" in rules.types or any(
        item.type == "float" and item.contains(value) for item in rules.intervals
    )
    if isinstance(value, int) and takes_float and not takes_int:
        return float(value)
    if isinstance(value, float) and whole and takes_int and not takes_float:
        return int(value)
    return value


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
