"""Which fields of an object are ours, by the record that the API server keeps of our last server-side apply.

Invariant: read only. Without a record (an object that we never applied) nothing counts as ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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


def taken(live: observed.Json, path: str) -> bool:
    """Whether others have written the field at ``path``, which our next apply is to set.

    One that is not there may be one that a newer operator sets, and without a record nothing can be told.
    """
    entry = record(live.get("metadata") or {})
    fields = (entry or {}).get("fieldsV1")
    return isinstance(fields, Mapping) and _there(live, path) and not _holds(fields, path)


def _holds(fields: Mapping[str, Any], path: str) -> bool:
    """Below a field that is recorded without parts everything is ours."""
    below = {name: inner for name, inner in fields.items() if name != "."}
    if not path or not below:
        return True
    for name, inner in below.items():
        kind, _, key = name.partition(":")
        rest = _after(f"[{json.loads(key).get('name')}]" if kind == "k" else key, path)
        if rest is not None and _holds(inner, rest):
            return True
    return False


def _there(value: Any, path: str) -> bool:
    if not path:
        return value is not None
    if isinstance(value, Mapping):
        parts: Iterable[tuple[str, Any]] = value.items()
    elif isinstance(value, list):
        parts = ((f"[{item.get('name')}]", item) for item in value if isinstance(item, Mapping))
    else:
        return False
    return any((rest := _after(key, path)) is not None and _there(inner, rest) for key, inner in parts)


def _after(label: str, path: str) -> str | None:
    """What follows ``label`` at the beginning of the path; keys may have dots themselves, so it has to be asked."""
    path = path.lstrip(".")
    rest = path.removeprefix(label)
    return rest if path.startswith(label) and rest[:1] in ("", ".", "[") else None


def _beyond(fields: Mapping[str, Any], desired: Any, path: str) -> str | None:
    """Names as in ``fieldsV1``: ``f:`` a field, ``k:`` an item by its keys, ``v:`` an item by its value."""
    for name, below in fields.items():
        kind, _, key = name.partition(":")
        if kind == "f":
            where, value = f"{path}.{key}".lstrip("."), desired.get(key) if isinstance(desired, dict) else None
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
