"""The last seen state of every object that a decision rests on, as compact JSON.

Invariant: the cache is never trusted with an effect. It answers one question cheaply, whether there is anything to
do; before anything is done, everything is read again live. A missed event therefore costs time, not truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from sklearn_operator.core import observed

MODEL, VERSION, SERVICE, DEPLOYMENT = "model", "version", "service", "deployment"


class Cache:
    """Objects by (kind, model key); as bytes, ten thousand of them fit into tens of megabytes."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, observed.ModelKey], dict[str, bytes]] = {}

    def put(self, kind: str, key: observed.ModelKey, raw: Mapping[str, Any]) -> bool:
        """Returns whether anything but bookkeeping changed."""
        name = raw["metadata"]["name"]
        shelf = self._objects.setdefault((kind, key), {})
        packed = _pack(raw)
        if shelf.get(name) == packed:
            return False
        shelf[name] = packed
        return True

    def drop(self, kind: str, key: observed.ModelKey, name: str) -> None:
        shelf = self._objects.get((kind, key))
        if shelf is not None:
            shelf.pop(name, None)
            if not shelf:
                del self._objects[kind, key]

    def one(self, kind: str, key: observed.ModelKey, name: str) -> dict[str, Any] | None:
        packed = self._objects.get((kind, key), {}).get(name)
        return orjson.loads(packed) if packed is not None else None

    def all(self, kind: str, key: observed.ModelKey) -> list[dict[str, Any]]:
        return [orjson.loads(packed) for packed in self._objects.get((kind, key), {}).values()]

    def keys(self, kind: str) -> Iterator[observed.ModelKey]:
        return (key for stored, key in list(self._objects) if stored == kind)


def _pack(raw: Mapping[str, Any]) -> bytes:
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    return orjson.dumps({**raw, "metadata": metadata}, option=orjson.OPT_SORT_KEYS)
