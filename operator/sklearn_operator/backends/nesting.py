"""JSON without a bottom: a manifest may nest ten thousand levels deep, and every parser gives up earlier.

Refusing such a document would take the rest of a listing with it, so what lies too deep is cut out instead.

Invariant: nothing here recurses, and an object that is cut still nests deeper than a manifest may
(``api.shape.DEPTH_LIMIT``): it is refused for its depth, never accepted without the part that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

#: Mappings and lists inside each other that an object keeps. orjson reads 1024 and writes 254; Python's json reads
#: what the interpreter's stack allows.
LIMIT = 100

_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def loads(content: bytes, wrapping: int = 0) -> Any:
    """The document; ``wrapping`` levels of it lie around the objects. Raises ``orjson.JSONDecodeError``."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        shallow = cut(content, LIMIT + wrapping)
        if shallow is content:
            raise
        return orjson.loads(shallow)


def cut(text: bytes, limit: int) -> bytes:
    """JSON text in which null stands for what nests deeper than ``limit``; the same bytes where nothing does."""
    if text.count(b"{") + text.count(b"[") <= limit:
        return text
    depth = start = 0
    kept: list[bytes] = []
    for mark in _MARK.finditer(text):
        kind = text[mark.start()]
        if kind in _OPENING:
            depth += 1
            if depth == limit + 1:
                kept += (text[start : mark.start()], b"null")
        elif kind in _CLOSING:
            if depth == limit + 1:
                start = mark.end()
            depth -= 1
    return b"".join((*kept, text[start:])) if kept else text


def pruned(value: Any, limit: int = LIMIT) -> Any:
    """A copy of a parsed document in which None stands for what nests deeper than ``limit``."""
    result = [value]
    waiting: list[tuple[Any, Any, int]] = [(result, 0, 1)]
    while waiting:
        holder, place, depth = waiting.pop()
        item = holder[place]
        copied: Any
        places: Iterable[Any]
        if isinstance(item, Mapping):
            copied, places = dict(item), item.keys()
        elif isinstance(item, (list, tuple)):
            copied, places = list(item), range(len(item))
        else:
            continue
        holder[place] = copied if depth <= limit else None
        if depth <= limit:
            waiting.extend((copied, inner, depth + 1) for inner in places)
    return result[0]
