"""The chart's values.yaml (its part on settings) and values.schema.json (all of it).

Invariant: the schema accepts no key that values.yaml does not show, and every setting of the operator is in both.
"""

from __future__ import annotations

import copy
import json
import textwrap
from typing import Any

import yaml

from scripts.manifests import settings
from sklearn_sandbox import helm

Schema = dict[str, Any]

BEGIN = "  # Generated from runtime/settings.py by `make manifests`; do not edit.\n"
END = "  # End of what is generated.\n"

_NAMESPACE = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
_NAMESPACES: Schema = {"type": "array", "items": _NAMESPACE, "uniqueItems": True}
_WORDS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
_NAMED: Schema = {"type": "array", "items": {"type": "object", "required": ["name"]}}
_DIGEST: Schema = {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}
_FREE: Schema = {"type": "object"}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
#: What the kind of a default does not tell. A path stands for everything below it.
_STRICTER: dict[str, Schema] = {
    "namespaces": _NAMESPACES,
    "replicas": {"type": "integer", "minimum": 0},
    "image.digest": _DIGEST,
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "trainer.image.digest": _DIGEST,
    "imagePullSecrets": _NAMED,
    "kfp.token.audience": {"type": "string", "minLength": 1},
    "kfp.token.expirationSeconds": {"type": "integer", "minimum": 600},
    "kfp.ca.key": {"type": "string", "minLength": 1},
    "servingRuntime.resources": _FREE,
    "serviceAccount.annotations": _WORDS,
    "rbac.artifactSecrets.namespaces": _NAMESPACES,
    "metrics.service.port": _PORT,
    "metrics.service.annotations": _WORDS,
    "metrics.serviceMonitor.interval": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"},
    "metrics.serviceMonitor.labels": _WORDS,
    "metrics.prometheusRule.labels": _WORDS,
    "metrics.dashboard.labels": _WORDS,
    "metrics.dashboard.annotations": _WORDS,
    "tracing.endpoint": {"type": "string", "pattern": "^(https?://.+)?$"},
    "networkPolicy.from": _OBJECTS,
    "networkPolicy.egress": _OBJECTS,
    "podDisruptionBudget.maxUnavailable": {
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]?%$|^100%$"}]
    },
    "resources": _FREE,
    "podAnnotations": _WORDS,
    "podLabels": _WORDS,
    "nodeSelector": _WORDS,
    "tolerations": _OBJECTS,
    "affinity": _FREE,
    "topologySpreadConstraints": _OBJECTS,
    "extraEnv": _NAMED,
    "extraVolumes": _NAMED,
    "extraVolumeMounts": _NAMED,
}


def text() -> str:
    """values.yaml with its generated part made anew."""
    present = (helm.chart_folder() / "values.yaml").read_text()
    before, _, rest = present.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + _settings() + END + after


def _settings() -> str:
    lines = []
    for one in settings.documented():
        lines += textwrap.wrap(one.comment, 120, initial_indent="  # ", subsequent_indent="  # ")
        lines.append(f"  {one.key}: {_scalar(one.default)}")
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def schema() -> str:
    """values.schema.json."""
    values = yaml.safe_load(text())
    found = {"$schema": "http://json-schema.org/draft-07/schema#", **_object(values, "")}
    # Helm hands it to every chart that is part of another one.
    found["properties"]["global"] = _FREE
    offered = found["properties"]["settings"]["properties"]
    for one in settings.documented():
        offered[one.key] = {**one.schema, "description": one.comment}
    return json.dumps(found, indent=2) + "\n"


def _object(values: dict[str, Any], path: str) -> Schema:
    properties = {}
    for key, value in values.items():
        below = f"{path}.{key}".removeprefix(".")
        properties[key] = copy.deepcopy(_STRICTER[below]) if below in _STRICTER else _by_kind(value, below)
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _by_kind(value: Any, path: str) -> Schema:
    if isinstance(value, dict) and value:
        return _object(value, path)
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    if type(value) not in kinds:
        raise ValueError(f"values.yaml: {path}: say in _STRICTER what may be in it")
    return {"type": kinds[type(value)]}
