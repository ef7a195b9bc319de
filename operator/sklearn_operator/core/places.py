"""Where the files of a version lie, and whose credentials open the place.

Invariant: both follow from what was frozen with the version, so a later change of the manifest never loses sight of
what an earlier version left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn_operator.core import naming, observed
from sklearn_operator.core.settings import Settings


@dataclass(frozen=True)
class Place:
    """A store as the operator reaches it. ``secret``: in ``namespace``; None means the operator's own credentials."""

    namespace: str
    uri: str
    secret: str | None = None


def place(model: observed.Model, version: observed.Version, settings: Settings) -> Place:
    given = _given(version.training)
    return Place(model.key.namespace, str(given.get("uri") or settings.store_uri), given.get("credentialsSecret"))


def secret(inputs: observed.Json, settings: Settings) -> str:
    """Name of the Secret, in the model's namespace, with which tasks and servers open the place."""
    return str(_given(inputs).get("credentialsSecret") or settings.store_secret)


def root(model: observed.Model, version: observed.Version, settings: Settings) -> str:
    """Prefix of everything that any attempt of the version may have written."""
    key, store = model.key, place(model, version, settings).uri
    return naming.version_root(store, key.namespace, key.name, version.number, version.uid)


def folder(model: observed.Model, version: observed.Version, settings: Settings) -> str:
    """The one folder that the present attempt writes to."""
    key, store = model.key, place(model, version, settings).uri
    return naming.artifact_uri(store, key.namespace, key.name, version.number, version.uid, version.attempt)


def _given(inputs: observed.Json) -> dict[str, Any]:
    return dict(inputs.get("artifacts") or {})
