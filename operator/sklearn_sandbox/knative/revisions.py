"""A Revision and what stands behind it, as manifests.

Invariant: pure. The same template has the same digest, whatever the order of its fields.
"""

from __future__ import annotations

import copy
import hashlib
import json

from sklearn_sandbox.knative import names
from sklearn_sandbox.knative.names import Json


def digest(template: Json) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:32]


def build(service: Json, number: int) -> Json:
    """The Revision of the Service's template as it is now."""
    template, name = service["spec"]["template"], service["metadata"]["name"]
    own = {names.SERVICE: name, names.CONFIGURATION: name, names.GENERATION: str(number)}
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Revision",
        "metadata": {
            "name": names.revision(name, number),
            "namespace": service["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **own},
            "annotations": {**(metadata.get("annotations") or {}), names.TEMPLATE: digest(template)},
            "ownerReferences": [names.owner(service, "Service")],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def minimum(revision: Json) -> int:
    return int((revision["metadata"].get("annotations") or {}).get(names.MIN_SCALE, "0"))


def deployment(revision: Json, *, wanted: bool) -> Json:
    """`wanted`: it has traffic, or is to get some. With a minimum of zero the number is for requests to say."""
    name, metadata = revision["metadata"]["name"], _metadata(revision)
    own = ("containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds")
    pod = {key: value for key, value in revision["spec"].items() if key not in own}
    spec: Json = {
        "selector": {"matchLabels": {names.REVISION: name}},
        "template": {
            "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
            "spec": copy.deepcopy(pod),
        },
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "progressDeadlineSeconds": 600,
    }
    if not wanted:
        spec["replicas"] = 0
    elif minimum(revision) > 0:
        spec["replicas"] = minimum(revision)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "name": names.deployment(name)},
        "spec": spec,
    }


def private(revision: Json, *, wanted: bool) -> Json:
    """The Kubernetes Service of the Revision's own."""
    name, metadata = revision["metadata"]["name"], _metadata(revision)
    ports = revision["spec"]["containers"][0].get("ports") or [{"containerPort": 8080}]
    notes = {names.SCALES: names.deployment(name)} if wanted and minimum(revision) == 0 else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "name": names.private(name), "annotations": notes},
        "spec": {
            "selector": {names.REVISION: name},
            "ports": [{"name": "http", "port": 80, "targetPort": ports[0]["containerPort"], "protocol": "TCP"}],
        },
    }


def _metadata(revision: Json) -> Json:
    metadata = revision["metadata"]
    annotations = {key: text for key, text in (metadata.get("annotations") or {}).items() if key != names.TEMPLATE}
    return {
        "namespace": metadata["namespace"],
        "labels": {**metadata["labels"], names.REVISION: metadata["name"], "app": metadata["name"]},
        "annotations": annotations,
        "ownerReferences": [names.owner(revision, "Revision")],
    }
