"""The Kubernetes adapter's memory twin: the same vocabulary over a dictionary.

Invariant: it keeps the promises that decisions rest on (names are unique, resource versions fence, finalizers hold a
deleted object) and the contract suite holds it to them. It validates nothing.
"""

from __future__ import annotations

import copy
import itertools
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sklearn_operator.backends import errors
from sklearn_operator.backends.kubernetes import Listing, Resource

_Key = tuple[str, str | None, str]


class MemoryKubernetes:
    """``objects`` by (plural, namespace, name)."""

    def __init__(self) -> None:
        self.objects: dict[_Key, dict[str, Any]] = {}
        self._versions = itertools.count(1)
        self._revision = 0

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        found = self.objects.get((resource.plural, namespace, name))
        return copy.deepcopy(found) if found is not None else None

    async def list_objects(
        self, resource: Resource, namespace: str | None, selector: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        return [item async for page in self.pages(resource, namespace, selector) for item in page.items]

    async def pages(
        self, resource: Resource, namespace: str | None, selector: Mapping[str, str] | None = None, size: int = 250
    ) -> AsyncIterator[Listing]:
        wanted = (selector or {}).items()
        found = [
            copy.deepcopy(item)
            for (plural, space, _), item in sorted(self.objects.items(), key=lambda entry: str(entry[0]))
            if plural == resource.plural
            and namespace in (None, space)
            and wanted <= (item["metadata"].get("labels") or {}).items()
        ]
        for start in range(0, max(len(found), 1), size):
            yield Listing(found[start : start + size], self._revision)

    async def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        key = (resource.plural, namespace, body["metadata"]["name"])
        if key in self.objects:
            raise errors.Conflict(f"{resource.plural} {key[2]} exists")
        stored = copy.deepcopy(dict(body))
        stored.pop("status", None)
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        stored["metadata"] |= {
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": moment,
            "generation": 1,
        }
        return self._store(key, stored)

    async def apply(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, revision: str | None
    ) -> dict[str, Any]:
        key = (resource.plural, namespace, body["metadata"]["name"])
        if key not in self.objects:
            return await self.create(resource, namespace, body)
        merged = _merged(self.objects[key], body)
        seen = self.objects[key]["metadata"]["resourceVersion"]
        if revision != seen and (revision is not None or merged != self.objects[key]):
            raise errors.Conflict(f"{resource.plural} {key[2]} changed meanwhile, or is somebody else's")
        return copy.deepcopy(merged) if merged == self.objects[key] else self._store(key, merged)

    async def replace(self, resource: Resource, namespace: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        key = (resource.plural, namespace, name)
        stored = self._existing(key)
        _expect(stored, body)
        kept = {part: stored["metadata"][part] for part in ("namespace", "uid", "creationTimestamp", "generation")}
        return self._store(key, {**body, "metadata": {**body["metadata"], **kept}})

    async def replace_status(
        self, resource: Resource, namespace: str, name: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        key = (resource.plural, namespace, name)
        stored = self._existing(key)
        _expect(stored, body)
        return self._store(key, {**stored, "status": copy.deepcopy(body["status"])})

    async def edit(
        self, resource: Resource, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        key = (resource.plural, namespace, name)
        stored = copy.deepcopy(self._existing(key))
        for operation in operations:
            _patch(stored, operation)
        if "deletionTimestamp" in stored["metadata"] and not stored["metadata"].get("finalizers"):
            del self.objects[key]
            return stored
        return self._store(key, stored)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None) -> None:
        key = (resource.plural, namespace, name)
        stored = self.objects.get(key)
        if stored is None:
            return
        if uid is not None and uid != stored["metadata"]["uid"]:
            raise errors.Conflict(f"{resource.plural} {name} is another object")
        if not stored["metadata"].get("finalizers"):
            del self.objects[key]
        elif "deletionTimestamp" not in stored["metadata"]:
            moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._store(key, _merged(stored, {"metadata": {"deletionTimestamp": moment}}))

    def _existing(self, key: _Key) -> dict[str, Any]:
        if key not in self.objects:
            raise errors.NotFound(f"{key[0]} {key[2]} does not exist")
        return self.objects[key]

    def _store(self, key: _Key, item: dict[str, Any]) -> dict[str, Any]:
        item = copy.deepcopy(item)
        self._revision = next(self._versions)
        item["metadata"]["resourceVersion"] = str(self._revision)
        self.objects[key] = item
        return copy.deepcopy(item)


def _expect(stored: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    expected = body["metadata"].get("resourceVersion")
    if expected and expected != stored["metadata"]["resourceVersion"]:
        raise errors.Conflict(f"{stored['metadata']['name']} changed meanwhile")


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        before = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        merged[name] = _merged(before, value) if both and isinstance(before, Mapping) else copy.deepcopy(value)
    return merged


def _patch(document: dict[str, Any], operation: Mapping[str, Any]) -> None:
    """The JSON patch operations that the operator uses: test, add and remove."""
    *parents, last = operation["path"].strip("/").split("/")
    holder: Any = document
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder.get(part, {})
    if operation["op"] == "test":
        if _at(holder, last) != operation["value"]:
            raise errors.Conflict(f"test of {operation['path']} failed")
    elif operation["op"] == "add":
        if isinstance(holder, list):
            holder.append(operation["value"])
        else:
            holder[last] = copy.deepcopy(operation["value"])
    elif operation["op"] == "remove":
        holder.pop(int(last) if isinstance(holder, list) else last)


def _at(holder: Any, part: str) -> Any:
    if isinstance(holder, list):
        return holder[int(part)] if int(part) < len(holder) else None
    return holder.get(part)
