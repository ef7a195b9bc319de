"""The names of steps: scikit-learn addresses parameters by them (``forest__max_depth``) and refuses some at the fit.

Invariant: names that are accepted here are accepted by scikit-learn, wherever a list of named estimators stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem

#: Parameters that hold a list of [name, estimator, ...], and the words that scikit-learn takes in an estimator's place.
LISTS: Mapping[str, tuple[str, ...]] = {
    "estimators": ("drop",),
    "steps": ("passthrough",),
    "transformer_list": ("drop", "passthrough"),
    "transformers": ("drop", "passthrough"),
}


def of_list(value: Any, reserved: Collection[str], parameter: str, path: str) -> Iterator[Problem]:
    """What is wrong with such a list's form and names; what is wrong with its estimators, others tell."""
    if not isinstance(value, list):
        return
    named = []
    for place, item in enumerate(value):
        if _entry(item, parameter):
            named.append((f"{path}[{place}][0]", item[0]))
        else:
            yield Problem(f"{path}[{place}]", api.show(item), _form(parameter))
    yield from problems(named, reserved)


def _entry(item: Any, parameter: str) -> bool:
    if not (isinstance(item, list) and len(item) == (3 if parameter == "transformers" else 2)):
        return False
    name, part = item[:2]
    return isinstance(name, str) and (isinstance(part, Mapping) or part in LISTS[parameter])


def _form(parameter: str) -> str:
    columns = ", columns" if parameter == "transformers" else ""
    return f"must be [name, {{class, params}}{columns}], with {' or '.join(LISTS[parameter])} for no estimator"


def problems(named: Sequence[tuple[str, str]], reserved: Collection[str]) -> Iterator[Problem]:
    """``named``: pairs of path and name; ``reserved``: parameters of what the steps belong to."""
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            yield Problem(path, api.show(name), "is the name of an earlier step, too; names must differ")
        elif "__" in name:
            text = "a name has no double underscore: it parts the name of a step from its parameter's"
            yield Problem(path, api.show(name), f"{text}; write a single one")
        elif name in reserved:
            text = "is a parameter of what the step belongs to; choose another name"
            yield Problem(path, api.show(name), text)
        seen.add(name)
