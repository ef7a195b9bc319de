"""Whether a manifest is plain JSON of a sensible size, before anything looks at its meaning.

Invariant: no recursion, so that no nesting can hurt; what passes can be written as JSON and read back the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from sklearn_operator.api.problems import Problem, join, show

#: Of the spec as JSON, in UTF-8.
SIZE_LIMIT = 64 * 1024
#: Mappings and lists inside each other: a dozen estimators nested in one another need fewer.
DEPTH_LIMIT = 64
_INTEGER_LIMIT = 2**63
#: What JSON has no type for is refused instead of written some way, and so are integers beyond 53 bits.
_STRICTLY = (
    orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def problems(raw: Mapping[Any, Any], root: str) -> list[Problem]:
    """What is wrong with the bare shape; empty where the document can be parsed."""
    return [] if passes_at_a_glance(raw) else searched(raw, root)


def passes_at_a_glance(raw: Mapping[Any, Any]) -> bool:
    """Whether one glance shows that nothing is wrong; False says nothing.

    Nearly every manifest passes here, at a tenth of the price: without a number that is not finite, which would be
    written as null, and with too few brackets for too deep a nesting.
    """
    try:
        text = orjson.dumps(raw, option=_STRICTLY)
    except (orjson.JSONEncodeError, RecursionError):
        return False
    shallow = text.count(b"{") + text.count(b"[") < DEPTH_LIMIT
    return shallow and b"null" not in text and len(text) <= SIZE_LIMIT // 2


def searched(raw: Mapping[Any, Any], root: str) -> list[Problem]:
    """The same answer, sought in every corner."""
    found: list[Problem] = []
    size = 0
    waiting: list[tuple[str, Any, int]] = [(root, raw, 1)]
    while waiting:
        path, value, depth = waiting.pop()
        if depth > DEPTH_LIMIT:
            return [Problem(_beginning(path), "…", f"is nested deeper than {DEPTH_LIMIT} levels; flatten it")]
        if isinstance(value, Mapping):
            found.extend(_keys(path, value))
            size += 2 + sum(_length(key) + 2 for key in value)
            waiting.extend((join(path, key), item, depth + 1) for key, item in value.items())
        elif isinstance(value, (list, tuple)):
            size += 2 + len(value)
            waiting.extend((join(path, index), item, depth + 1) for index, item in enumerate(value))
        else:
            size += _length(value)
            found.extend(_scalar(path, value))
        if size > SIZE_LIMIT:
            text = f"a spec has at most {SIZE_LIMIT // 1024} KiB; put data and scripts into a ConfigMap or the store"
            return [Problem(root, f"more than {SIZE_LIMIT // 1024} KiB", text)]
    return sorted(found, key=lambda problem: problem.path)


def _beginning(path: str) -> str:
    """Enough of a path of 64 names to find the place; the advice after it has to fit into a message, too."""
    return path if len(path) <= 200 else f"{path[:199]}…"


def _length(value: Any) -> int:
    """About the bytes of a scalar in JSON; exact for texts."""
    if isinstance(value, str):
        return len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return value.bit_length() // 3 + 1 if isinstance(value, int) else 8


def _keys(path: str, value: Mapping[Any, Any]) -> Iterator[Problem]:
    for key in value:
        if isinstance(key, bool):
            text = "YAML reads a bare n, y, no, yes, on or off as a boolean, here as a name; put the name in quotes"
            yield Problem(join(path, key), show(key), text)
        elif not isinstance(key, str):
            yield Problem(join(path, key), show(key), "names are texts; put it in quotes")
        else:
            yield from _text(join(path, key), key)


def _scalar(path: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from _text(path, value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Problem(path, str(value), "must be a finite number; JSON knows no other")
    elif isinstance(value, int) and not isinstance(value, bool):
        if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
            yield Problem(path, "a huge integer", "must fit into 64 bits")
    elif value is not None and not isinstance(value, bool):
        text = f"YAML reads this as a {type(value).__name__}, which JSON does not know; put it in quotes"
        yield Problem(path, show(str(value)), text)


def _text(path: str, value: str) -> Iterator[Problem]:
    try:
        value.encode()
    except UnicodeEncodeError:
        yield Problem(path, "…", "is not valid Unicode text")
