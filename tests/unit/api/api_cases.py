"""Manifests for the tests of the API, here and against a real API server."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parents[2] / "data"
REPOSITORY = Path(__file__).parents[3]


def manifest(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


def refused() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = yaml.safe_load((DATA / "refused.yaml").read_text(encoding="utf-8"))
    return cases


def changed(spec: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``spec`` with other values at dotted paths; None removes."""
    result = copy.deepcopy(dict(spec))
    for path, value in change.items():
        *parents, last = path.split(".")
        target = result
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is None:
            target.pop(last, None)
        else:
            target[last] = value
    return result


def documents(path: Path) -> list[dict[str, Any]]:
    """The SklearnModels of a file."""
    found = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [document for document in found if document and document.get("kind") == "SklearnModel"]
