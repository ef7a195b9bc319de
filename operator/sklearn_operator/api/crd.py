"""The CustomResourceDefinitions, made out of the models.

Invariant: the same models give the same documents, and a keyword that structural schemas do not know stops the
generation instead of reaching an API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_operator.api import base
from sklearn_operator.api.base import ApiModel
from sklearn_operator.api.spec import SklearnModelSpec
from sklearn_operator.api.status import SklearnModelStatus
from sklearn_operator.api.version import VersionSpec, VersionStatus

GROUP = "sklearn-operator.io"
VERSION = "v1alpha1"

#: Every derived name and host name has to fit into 63 characters.
NAME_LIMIT = 40

Json = dict[str, Any]

_KEPT = (
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "exclusiveMinimum",
    "maximum", "exclusiveMaximum", "minItems", "maxItems", "minProperties", "maxProperties", "required",
    "x-kubernetes-int-or-string", base.FREE_FORM, "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    base.VALIDATIONS, "anyOf", "default", "items", "additionalProperties", "properties",
)  # fmt: skip
#: How pydantic names the bounds of a number that a validator of ours looks at first.
_BOUNDS = {"ge": "minimum", "le": "maximum"}
_DROPPED = {"title", "default", "propertyNames", "examples"}


def schema(model: type[ApiModel]) -> Json:
    """The structural schema of a model: references put in place, nulls and defaults left out."""
    raw = model.model_json_schema(by_alias=True)
    return _structural(raw, raw.get("$defs", {}))


def _structural(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> Json:
    node = _resolved(raw, definitions)
    out: Json = {}
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: _structural(child, definitions) for name, child in value.items()}
        elif key == "items":
            out[key] = _structural(value, definitions)
        elif key == "additionalProperties":
            if isinstance(value, Mapping):
                out[key] = _structural(value, definitions)
        elif key == "patternProperties":
            # Structural schemas cannot bound the names; parse_spec does.
            (value,) = value.values()
            out["additionalProperties"] = _structural(value, definitions)
        elif key == "const":
            out["enum"] = [value]
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            # OpenAPI 3.0: a flag beside the bound.
            out["minimum" if key == "exclusiveMinimum" else "maximum"] = value
            out[key] = True
        elif key in _BOUNDS:
            out[_BOUNDS[key]] = value
        elif key == base.VALIDATIONS:
            out[key] = [
                {name: rule[name] for name in ("rule", "message", "fieldPath") if name in rule} for rule in value
            ]
        elif key in _KEPT:
            out[key] = value
        elif key not in _DROPPED:
            raise ValueError(f"a structural schema has no keyword {key}: {node}")
    out.pop("default", None)
    return _ordered(out)


def _resolved(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> Json:
    """References replaced by what they mean, and "or null" by nothing; the nearest description wins."""
    node = {key: value for key, value in raw.items() if key != "$defs"}
    if "x-kubernetes-int-or-string" in node:
        return node
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            target = definitions[node.pop("$ref").rpartition("/")[2]]
        else:
            (target,) = [choice for choice in node.pop("anyOf") if choice != {"type": "null"}]
        node = {**target, **node}
    return node


def _ordered(node: Mapping[str, Any]) -> Json:
    return {key: node[key] for key in _KEPT if key in node}


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False, about: str = "") -> Json:
    column: Json = {"name": name, "type": kind, "jsonPath": path}
    if about:
        column["description"] = about
    if wide:
        column["priority"] = 1
    return column


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


_MODEL_COLUMNS = [
    _column("Phase", ".status.phase"),
    _column("Ready", _ready("status")),
    _column("Metric", ".status.metric", about="Headline metric of the serving version"),
    _column("Version", ".status.servingVersion", about="The version that answers requests"),
    _column("URL", ".status.url"),
    _column("Age", ".metadata.creationTimestamp", "date"),
    _column("Estimator", ".spec.model.estimator.class", wide=True),
    _column("Run", ".status.run.name", wide=True),
    # Not a date: kubectl shows how long ago a date was, and this one lies ahead.
    _column("Next", ".status.nextScheduleTime", wide=True),
    _column("Message", _ready("message"), wide=True),
]
_VERSION_COLUMNS = [
    _column("Model", ".spec.model"),
    _column("Number", ".spec.number", "integer"),
    _column("Phase", ".status.phase"),
    _column("Metric", ".status.metric"),
    _column("Trigger", ".spec.trigger.type"),
    _column("Serving", '.status.conditions[?(@.type=="Served")].status', about="Whether it answers requests now"),
    _column("Age", ".metadata.creationTimestamp", "date"),
]
_NAME_RULE = {
    "rule": f"size(self.metadata.name) <= {NAME_LIMIT}",
    "message": f"a name has at most {NAME_LIMIT} characters, so that every name derived from it fits into 63",
    "fieldPath": ".metadata.name",
}


def sklearn_model() -> Json:
    """The CRD of SklearnModel."""
    status = schema(SklearnModelStatus)
    # Visible from the first moment: kstatus and kubectl wait would take an object without status for settled.
    status["properties"]["observedGeneration"]["default"] = -1
    status["default"] = {"observedGeneration": -1}
    return _crd(
        kind="SklearnModel",
        plural="sklearnmodels",
        short="skm",
        columns=_MODEL_COLUMNS,
        root=_root(
            "A scikit-learn model: what to train, how to judge it and how to serve it.",
            schema(SklearnModelSpec),
            status,
            [_NAME_RULE],
        ),
    )


def sklearn_model_version() -> Json:
    """The CRD of SklearnModelVersion."""
    return _crd(
        kind="SklearnModelVersion",
        plural="sklearnmodelversions",
        short="skmv",
        columns=_VERSION_COLUMNS,
        root=_root(
            "One training of a SklearnModel, its frozen inputs and what became of it; made by the operator only.",
            schema(VersionSpec),
            schema(VersionStatus),
            [],
        ),
    )


def _root(about: str, spec: Json, status: Json, rules: list[Json]) -> Json:
    root: Json = {"description": about, "type": "object", "required": ["spec"]}
    if rules:
        root[base.VALIDATIONS] = rules
    return root | {
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": "Kind of the object."},
            # The name is here only so that a rule can point at it.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": spec,
            "status": status,
        }
    }


def _crd(*, kind: str, plural: str, short: str, columns: list[Json], root: Json) -> Json:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["ml"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": root},
                }
            ],
        },
    }
