"""What a parameter may be, reduced from scikit-learn's own declarations to JSON.

Invariant: never stricter than scikit-learn, but for what would reach into the file system of the task. What cannot be
said in ``types``, ``options`` and ``intervals`` is left open (no rules at all), and the fit decides. The declarations
are private to scikit-learn, hence the pinned version.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Mapping, MutableMapping
from numbers import Integral, Real
from typing import Any

_SEED = {"type": "int", "min": 0, "max": 2**32 - 1, "closed": "both"}
_WORDS: dict[str, tuple[list[str], list[dict[str, Any]]]] = {
    "boolean": (["bool"], []),
    "verbose": (["bool", "int"], [{"type": "int", "min": 0, "closed": "left"}]),
    "random_state": (["none", "random_state"], [_SEED]),
    "cv_object": (["estimator", "int", "list", "none"], [{"type": "int", "min": 2, "closed": "left"}]),
    "array-like": (["array"], []),
    "sparse matrix": (["array"], []),
}
_TYPES: dict[type, str] = {
    bool: "bool",
    str: "str",
    int: "int",
    float: "float",
    list: "list",
    tuple: "list",  # JSON has no tuples; the list becomes one when the estimator is built
    dict: "dict",
    Mapping: "dict",
    MutableMapping: "dict",
    Integral: "int",
    Real: "float",
}
_SHARES = ("test_size", "train_size")
#: By parameter, what scikit-learn takes and nobody may ask for: a folder that it unpickles from, rows that name files.
_REACHING = {"memory": {"str", "estimator"}, "input": {"file", "filename"}}


def reduced(cls: type, name: str) -> dict[str, Any]:
    """``{types, options, intervals, intOrFraction}``, each only where there is something to say."""
    declared = getattr(cls, "_parameter_constraints", {}).get(name)
    if declared is None and name in _SHARES:
        return {"types": ["float", "int", "none"], "intOrFraction": True}
    if not isinstance(declared, list):
        return {}
    rules = _Rules()
    for item in declared:
        if not rules.add(item):
            return {}
    return rules.document(_REACHING.get(name, set()))


class _Rules:
    def __init__(self) -> None:
        self._types: set[str] = set()
        self._options: list[Any] = []
        self._intervals: list[dict[str, Any]] = []

    def add(self, item: Any) -> bool:
        """False if this one says that anything goes."""
        from sklearn.utils import _param_validation as declared

        if isinstance(item, str):
            if item not in _WORDS:
                return item == "nan"
            types, intervals = _WORDS[item]
            self._types.update(types)
            self._intervals += [dict(interval) for interval in intervals]
        elif item is None:
            self._types.add("none")
        elif isinstance(item, declared.Interval):
            self._intervals.append(_interval(item))
        elif isinstance(item, declared.Options):
            self._options += sorted((option for option in item.options if _plain(option)), key=repr)
        elif isinstance(item, declared.MissingValues):
            self._types.update(("float", "int", "none", "str"))
        elif isinstance(item, declared.HasMethods):
            self._types.add("estimator")
        elif inspect.isclass(item):
            self._types.add(_of_class(item))
        elif item is callable:
            self._types.add("callable")
        # what remains is hidden: accepted for reasons of history, and not offered
        return True

    def document(self, without: Collection[Any] = ()) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        if self._types:
            entry["types"] = sorted(self._types - set(without))
        if self._options:
            entry["options"] = [option for option in dict.fromkeys(self._options) if option not in without]
        if self._intervals:
            entry["intervals"] = self._intervals
        if any(self._takes("int", value) and self._takes("float", value) for value in (0, 1)):
            entry["intOrFraction"] = True
        return entry

    def _takes(self, kind: str, value: float) -> bool:
        unbounded = kind == "int" and "int" in self._types
        return unbounded or any(item["type"] == kind and _contains(item, value) for item in self._intervals)


def _interval(item: Any) -> dict[str, Any]:
    whole = item.type is Integral
    entry: dict[str, Any] = {"type": "int" if whole else "float", "closed": item.closed}
    for side, bound in (("min", item.left), ("max", item.right)):
        if bound is not None and math.isfinite(bound):
            entry[side] = int(bound) if whole else float(bound)
    return entry


def _contains(item: dict[str, Any], value: float) -> bool:
    low, high, closed = item.get("min"), item.get("max"), item["closed"]
    above = low is None or value > low or (value == low and closed in ("left", "both"))
    below = high is None or value < high or (value == high and closed in ("right", "both"))
    return above and below


def _of_class(item: type) -> str:
    for known, word in _TYPES.items():
        if item is known:
            return word
    if item.__module__.startswith("numpy"):
        return "array"
    return "estimator" if hasattr(item, "get_params") or item.__name__.endswith("Mixin") else "other"


def _plain(value: Any) -> bool:
    """Whether JSON has it: no dtypes, no infinity."""
    return isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))
