"""Kubernetes' strategic merge as far as containers and pod specs need it, and KServe's placeholders.

Invariant: pure; the arguments are never changed.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from sklearn_sandbox.kserve.names import Json

#: Lists that merge by a key, by the name of the field; every other list is replaced.
_KEYS = {
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "imagePullSecrets": "name",
}
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")
_FIELDS = {"Name": "name", "Namespace": "namespace", "UID": "uid", "GenerateName": "generateName"}
_MAPS = {"Labels": "labels", "Annotations": "annotations"}


class BadPlaceholder(Exception):
    pass


def merge(base: Any, patch: Any, field: str = "") -> Any:
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        merged = {key: copy.deepcopy(value) for key, value in base.items()}
        for key, value in patch.items():
            merged[key] = merge(base.get(key), value, key)
        return merged
    if isinstance(base, list) and isinstance(patch, list) and field in _KEYS:
        return _merge_lists(base, patch, _KEYS[field])
    return copy.deepcopy(patch)


def _merge_lists(base: list[Json], patch: list[Json], key: str) -> list[Json]:
    """Items of both keep the base's place; what only the patch has comes first, as Kubernetes orders it."""
    known = {item.get(key): item for item in base}
    new = [copy.deepcopy(item) for item in patch if item.get(key) not in known]
    patched = {item.get(key): merge(known[item.get(key)], item) for item in patch if item.get(key) in known}
    return new + [patched.get(item.get(key), copy.deepcopy(item)) for item in base]


def merge_containers(runtime: Json, own: Json) -> Json:
    """The runtime's container with the InferenceService's on top: arguments are appended, the name is the runtime's."""
    patch = {key: value for key, value in own.items() if key not in ("name", "args") and value not in ("", None)}
    merged: Json = merge(runtime, patch)
    if arguments := [*(runtime.get("args") or []), *(own.get("args") or [])]:
        merged["args"] = arguments
    return merged


def fill_placeholders(container: Json, metadata: Json) -> Json:
    """`{{.Name}}`, `{{.Labels.team}}` and the like, anywhere in the container."""

    def value(match: re.Match[str]) -> str:
        path = match.group(1).strip().split(".")
        if len(path) == 2 and path[0] == "" and path[1] in _FIELDS:
            found = str(metadata.get(_FIELDS[path[1]]) or "")
        elif len(path) == 3 and path[0] == "" and path[1] in _MAPS:
            found = str((metadata.get(_MAPS[path[1]]) or {}).get(path[2], "<no value>"))
        else:
            raise BadPlaceholder(match.group(0))
        return json.dumps(found)[1:-1]

    filled: Json = json.loads(_PLACEHOLDER.sub(value, json.dumps(container)))
    return filled
