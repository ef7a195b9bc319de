"""Names, labels, identifiers and hashes.

Invariant: every name that reaches an outside system is a pure function of (uid, version number, attempt, training
hash). Creating anything twice therefore meets itself instead of making a second one.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

GROUP = "sklearn-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "sklearn-operator"

FINALIZER = f"{GROUP}/cleanup"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_MODEL = f"{GROUP}/model"
LABEL_VERSION = f"{GROUP}/version"
ANNOTATION_RETRAIN = f"{GROUP}/retrain"
ANNOTATION_APPROVE = f"{GROUP}/approve"

_RUN_NAMESPACE = uuid.UUID("6f0b2f0e-54a5-5e0b-9d6c-2c0a1f5f7a11")


def child_labels(model: str) -> dict[str, str]:
    """Labels of every child. Nothing of the user's own labels is copied: label copying breaks GitOps tools."""
    return {LABEL_MANAGED_BY: FIELD_MANAGER, LABEL_MODEL: model}


def version_name(model: str, number: int) -> str:
    return f"{model}-v{number}"


def number(model: str, version: str) -> int:
    """The number in the name of a version of that model; 0 for any other name."""
    prefix = f"{model}-v"
    text = version[len(prefix) :] if version.startswith(prefix) else ""
    return int(text) if text.isascii() and text.isdecimal() else 0


def run_id(version_uid: str, attempt: int) -> str:
    """The run's identity, known before the run exists, so that a crash after submitting is one GET away from truth."""
    return str(uuid.uuid5(_RUN_NAMESPACE, f"{version_uid}/{attempt}"))


def run_display_name(namespace: str, version: str, attempt: int, run: str) -> str:
    """Exact and unique: the second key by which a run is found where the server ignores the client's run id."""
    return f"{namespace}.{version}-{attempt}-{run[:8]}"


def artifact_uri(store_uri: str, namespace: str, model: str, number: int, version_uid: str, attempt: int) -> str:
    """The one folder that the attempt may write to, with a trailing slash.

    The slash matters: a prefix without it also matches its longer neighbours (``v1`` and ``v10``). Each attempt has a
    folder of its own, so a run that comes back from the dead cannot touch the files of its successor.
    """
    suffix = "" if attempt == 1 else f"-a{attempt}"
    return f"{version_root(store_uri, namespace, model, number, version_uid)}{suffix}/"


def version_root(store_uri: str, namespace: str, model: str, number: int, version_uid: str) -> str:
    """Prefix shared by all attempts of one version. The uid keeps a re-created model apart from retained artifacts."""
    return f"{store_uri.rstrip('/')}/{namespace}/{model}/v{number}-{version_uid[:8]}"


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``; ``1.0`` and ``1`` are one number, as they are to the API server."""
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
