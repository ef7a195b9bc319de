"""What one parameter takes, as scikit-learn declares it.

Invariant: what is taken here is taken by scikit-learn; a number is an integer or a fraction only where its value or the
user says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
        low = "(-inf" if self.min is None else f"{'[' if self.closed in ('left', 'both') else '('}{self.min:g}"
        high = "inf)" if self.max is None else f"{self.max:g}{']' if self.closed in ('right', 'both') else ')'}"
        return f"{'an integer' if self.type == 'int' else 'a number'} in {low}, {high}"


@dataclass(frozen=True)
class Parameter:
    """What one parameter takes: kinds of values, fixed words, ranges of numbers."""

    types: frozenset[str] = frozenset()
    options: tuple[Any, ...] = ()
    intervals: tuple[Interval, ...] = ()
    int_or_fraction: bool = False

    @property
    def open(self) -> bool:
        """True when scikit-learn declares nothing about it."""
        return not (self.types or self.options or self.intervals)

    def takes(self, *kinds: str) -> bool:
        """True where one of the kinds is taken, or where nothing is known."""
        return self.open or not self.types.isdisjoint((*kinds, "other"))


def accepts(value: Any, rules: Parameter) -> bool:
    """Whether the value of no mapping or list is one that scikit-learn takes."""
    if value is None:
        return "none" in rules.types or None in rules.options
    if isinstance(value, bool):
        return "bool" in rules.types or any(value is option for option in rules.options)
    if isinstance(value, (int, float)):
        return accepts_number(value, rules)
    if isinstance(value, str):
        return "str" in rules.types or value in rules.options
    return True


def accepts_number(value: float, rules: Parameter, kind: str | None = None) -> bool:
    """``kind`` (int or float) says that an integer or a fraction is meant; without it a whole number may be either."""
    numbers = [item for item in rules.options if isinstance(item, (int, float)) and not isinstance(item, bool)]
    if value in numbers:
        return True
    whole = float(value).is_integer() and kind != "float"
    if any((item.type == "float" or whole) and item.contains(value) for item in rules.intervals):
        return True
    if "float" in rules.types and not any(item.type == "float" for item in rules.intervals):
        return True
    bounded = any(item.type == "int" for item in rules.intervals)
    return whole and not bounded and bool(rules.types & {"int", "random_state"})


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
    return " or ".join(dict.fromkeys(parts)) or "something else"


def typed_form(value: Mapping[str, Any]) -> tuple[str, Any] | None:
    """``{int: 1}`` or ``{float: 1}``: a number that says which of the two it is."""
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in ("int", "float"):
            return kind, inner
    return None
