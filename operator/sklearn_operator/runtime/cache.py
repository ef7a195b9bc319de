"""The last seen state of every object that a decision rests on, as compact JSON.

Invariants: the cache is never trusted with an effect. It answers one question cheaply, whether there is anything to
do; before anything is done, everything is read again live. A missed event therefore costs time, not truth. And it only
moves forward: watches and listings overtake each other, and an older state never replaces a newer one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from sklearn_operator.backends import nesting
from sklearn_operator.core import observed, ownership

MODEL, VERSION, SERVICE, DEPLOYMENT = "model", "version", "service", "deployment"


class Cache:
    """Objects by (kind, model key); as bytes, ten thousand of them fit into tens of megabytes."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, observed.ModelKey], dict[str, tuple[int, bytes]]] = {}
        #: How often anything in here has changed.
        self.changes = 0
        #: Versions at which objects went away while a listing was under way that may still show them.
        self._gone: dict[str, dict[tuple[observed.ModelKey, str], int]] = {}

    def put(self, kind: str, key: observed.ModelKey, raw: Mapping[str, Any]) -> bool:
        """Returns whether this was news."""
        name, version = raw["metadata"]["name"], revision(raw)
        known = self._objects.get((kind, key), {}).get(name)
        if known is not None and version <= known[0]:
            return False
        if version <= self._gone.get(kind, {}).get((key, name), -1):
            return False
        self._objects.setdefault((kind, key), {})[name] = (version, _pack(raw))
        self.changes += 1
        return True

    def holds(self, kind: str, key: observed.ModelKey, raw: Mapping[str, Any]) -> bool:
        """Whether this state of the object, or a later one, is known already."""
        known = self._objects.get((kind, key), {}).get(raw["metadata"]["name"])
        return known is not None and revision(raw) <= known[0]

    def drop(self, kind: str, key: observed.ModelKey, raw: Mapping[str, Any]) -> None:
        """The object is gone, by an event whose version tells when."""
        name, version = raw["metadata"]["name"], revision(raw)
        if kind in self._gone:
            self._gone[kind][key, name] = version
        known = self._objects.get((kind, key), {}).get(name)
        if known is not None and known[0] <= version:
            self._forget(kind, key, name)

    def expect_listing(self, kind: str) -> None:
        """A listing of the kind begins; until it is settled, what goes away is remembered."""
        self._gone[kind] = {}

    def settle(
        self, kind: str, listed: Collection[tuple[observed.ModelKey, str]], at: int, namespace: str | None
    ) -> set[observed.ModelKey]:
        """Forgets what a whole listing made at revision ``at`` does not show; returns the keys of which it was."""
        news: set[observed.ModelKey] = set()
        for key in list(self.keys(kind)):
            if namespace not in (None, key.namespace):
                continue
            for name, (version, _) in list(self._objects[kind, key].items()):
                if (key, name) not in listed and version <= at:
                    self._forget(kind, key, name)
                    news.add(key)
        self._gone.pop(kind, None)
        return news

    def one(self, kind: str, key: observed.ModelKey, name: str) -> dict[str, Any] | None:
        known = self._objects.get((kind, key), {}).get(name)
        return orjson.loads(known[1]) if known is not None else None

    def all(self, kind: str, key: observed.ModelKey) -> list[dict[str, Any]]:
        return [orjson.loads(packed) for _, packed in self._objects.get((kind, key), {}).values()]

    def revisions(self, kind: str) -> Iterator[tuple[observed.ModelKey, str, int]]:
        """Key, name and version of each object of the kind."""
        for (stored, key), shelf in list(self._objects.items()):
            if stored == kind:
                yield from ((key, name, version) for name, (version, _) in shelf.items())

    def keys(self, kind: str) -> Iterator[observed.ModelKey]:
        return (key for stored, key in list(self._objects) if stored == kind)

    def _forget(self, kind: str, key: observed.ModelKey, name: str) -> None:
        shelf = self._objects[kind, key]
        del shelf[name]
        self.changes += 1
        if not shelf:
            del self._objects[kind, key]


def revision(raw: Mapping[str, Any]) -> int:
    """The resource version as the number by which Kubernetes lets it be compared; 0 where it is none."""
    text = str((raw.get("metadata") or {}).get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def _pack(raw: Mapping[str, Any]) -> bytes:
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    if raw.get("kind") == "InferenceService" and (ours := ownership.record(raw["metadata"])) is not None:
        metadata["managedFields"] = [ours]
    document = {**raw, "metadata": metadata}
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return orjson.dumps(nesting.pruned(document), option=orjson.OPT_SORT_KEYS)
