"""The names of steps: scikit-learn addresses parameters by them (``forest__max_depth``) and refuses some at the fit.

Invariant: names that are accepted here are accepted by scikit-learn, wherever a list of named estimators stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem

#: Parameters that hold a list of [name, estimator, ...].
LISTS = frozenset({"estimators", "steps", "transformer_list", "transformers"})


def of_list(value: Any, reserved: Collection[str], path: str) -> Iterator[Problem]:
    """What is wrong with the names in such a list; what is no such list at all, others tell."""
    items = value if isinstance(value, list) else ()
    named = [(f"{path}[{place}][0]", item[0]) for place, item in enumerate(items) if _named(item)]
    yield from problems(named, reserved)


def _named(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and isinstance(item[0], str)


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
