"""Which fields of an object are ours, by the record that the API server keeps of our last server-side apply.

Invariant: read only. Without a record (an object that we never applied) nothing counts as ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_operator.core import naming, observed


def record(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Our entry of ``managedFields``."""
    for entry in metadata.get("managedFields") or ():
        ours = entry.get("manager") == naming.FIELD_MANAGER and entry.get("operation") == "Apply"
        if ours and not entry.get("subresource"):
            return dict(entry)
    return None


def leftover(live: observed.Json, desired: Mapping[str, Any]) -> str | None:
    """Path of the first field that our last apply set and that is no longer desired; another apply removes it."""
    entry = record(live.get("metadata") or {})
    fields = (entry or {}).get("fieldsV1")
    return _beyond(fields, desired, "") if isinstance(fields, Mapping) else None


def _beyond(fields: Mapping[str, Any], desired: Any, path: str) -> str | None:
    """Names as in ``fieldsV1``: ``f:`` a field, ``k:`` an item by its keys, ``v:`` an item by its value."""
    for name, below in fields.items():
        kind, _, key = name.partition(":")
        if kind == "f":
            where, value = f"{path}.{key}".lstrip("."), desired.get(key) if isinstance(desired, Mapping) else None
        elif kind == "k":
            where, value = f"{path}[{key}]", _item(desired, json.loads(key))
        else:
            continue
        if value is None:
            return where
        found = _beyond(below, value, where)
        if found is not None:
            return found
    return None


def _item(items: Any, keys: Mapping[str, Any]) -> Any:
    if not isinstance(items, Sequence) or isinstance(items, str):
        return None
    return next((item for item in items if all(item.get(key) == value for key, value in keys.items())), None)
