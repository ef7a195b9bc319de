"""Names, labels and annotations as KServe writes them.

Invariant: nothing here is ours to choose, but for ADDRESS, which the node agent writes on Services and the gateway on
HTTPRoutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

GROUP = "serving.kserve.io"
FINALIZER = "inferenceservice.finalizers"
CONTAINER = "kserve-container"
INITIALIZER = "storage-initializer"
INITIALIZER_IMAGE = "kserve/storage-initializer:v0.17.0"
MODEL_PATH = "/mnt/models"
MODEL_VOLUME = "kserve-provision-location"

ISVC_LABEL = f"{GROUP}/inferenceservice"
DEPLOYMENT_MODE = f"{GROUP}/deploymentMode"
AUTOSCALER_CLASS = f"{GROUP}/autoscalerClass"
STOP = f"{GROUP}/stop"
DISABLE_AUTO_UPDATE = f"{GROUP}/disable-auto-update"
STORAGE_SECRET = f"{GROUP}/storageSecretName"
STORAGE_READONLY = f"{GROUP}/storage-readonly"
SOURCE_URI = "internal.serving.kserve.io/storage-initializer-sourceuri"
MODEL_FORMAT = "modelFormat"
ADDRESS = "sandbox.sklearn-operator.io/address"

STANDARD, KNATIVE = "Standard", "Knative"
LEGACY_MODES = {"RawDeployment": STANDARD, "Serverless": KNATIVE}
#: What KServe ships with in its configuration: an InferenceService without the annotation is a Knative one.
DEFAULT_MODE = KNATIVE

#: Annotations of an InferenceService that do not reach its children; every other one does, and rolls the pods.
NOT_PROPAGATED = frozenset(
    {
        "autoscaling.knative.dev/min-scale",
        "autoscaling.knative.dev/max-scale",
        "kubectl.kubernetes.io/last-applied-configuration",
        SOURCE_URI,
        MODEL_FORMAT,
    }
)


def predictor(service: str, variant: str = "") -> str:
    """The name of Deployment, Service and autoscaler: with a predictor name in the middle, if it has one."""
    return f"{service}-{variant}-predictor" if variant else f"{service}-predictor"


def app_label(predictor_name: str) -> str:
    return f"isvc.{predictor_name}"


def component_url(predictor_name: str, namespace: str) -> str:
    """KServe's host for the component; it resolves nowhere unless somebody set up an ingress."""
    return f"http://{host(predictor_name, namespace)}"


def host(name: str, namespace: str) -> str:
    return f"{name}-{namespace}.example.com"


def owner(service: Mapping[str, Any]) -> Json:
    """The reference by which a child belongs to the InferenceService."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "name": service["metadata"]["name"],
        "uid": service["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def annotations_of(thing: Mapping[str, Any]) -> dict[str, str]:
    return dict((thing.get("metadata") or {}).get("annotations") or {})


def labels_of(thing: Mapping[str, Any]) -> dict[str, str]:
    return dict((thing.get("metadata") or {}).get("labels") or {})


def stopped(thing: Mapping[str, Any]) -> bool:
    return annotations_of(thing).get(STOP, "").lower() == "true"


def deployment_mode(service: Mapping[str, Any]) -> str:
    """First what the status recorded, then the annotation, then the configured default."""
    recorded = (service.get("status") or {}).get("deploymentMode")
    asked = recorded or annotations_of(service).get(DEPLOYMENT_MODE, "")
    mode = LEGACY_MODES.get(asked, asked)
    return mode if mode in (STANDARD, KNATIVE) else DEFAULT_MODE
