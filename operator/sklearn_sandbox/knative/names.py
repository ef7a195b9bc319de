"""Names, labels and annotations as Knative writes them.

Invariant: nothing here is ours to choose, but for TEMPLATE and SCALES, which stand for what Knative knows otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

API_VERSION = "serving.knative.dev/v1"
REVISION = "serving.knative.dev/revision"
SERVICE = "serving.knative.dev/service"
CONFIGURATION = "serving.knative.dev/configuration"
GENERATION = "serving.knative.dev/configurationGeneration"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"
TARGET = "autoscaling.knative.dev/target"
METRIC = "autoscaling.knative.dev/metric"
CLASS = "autoscaling.knative.dev/class"
KPA = "kpa.autoscaling.knative.dev"
ROLLOUT_DURATION = "serving.knative.dev/rollout-duration"
#: On a Revision: the digest of the template that it was made from.
TEMPLATE = "sandbox.sklearn-operator.io/template"
#: On a Kubernetes Service: the Deployment behind it that may go to zero and is woken by a request.
SCALES = "sandbox.sklearn-operator.io/scales"


def revision(service: str, number: int) -> str:
    return f"{service}-{number:05d}"


def deployment(name: str) -> str:
    return f"{name}-deployment"


def private(name: str) -> str:
    return f"{name}-private"


def number(thing: Mapping[str, Any]) -> int:
    """Of a Revision."""
    return int(thing["metadata"]["labels"][GENERATION])


def owner(thing: Mapping[str, Any], kind: str) -> Json:
    """The reference by which a child belongs to a Service or a Revision."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": thing["metadata"]["name"],
        "uid": thing["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
