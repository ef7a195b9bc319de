"""Manifests for the tests of the KServe stand-in, as short as they can be."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NOW = "2026-11-21T04:43:34Z"


def service(**predictor: Any) -> Json:
    """An InferenceService `digits` as the API server holds it, webhooks included."""
    model = {
        "modelFormat": {"name": "sklearn"},
        "runtime": "ours",
        "storageUri": "s3://models/digits/v1/",
        "name": "",
        "resources": {},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "digits",
            "namespace": "default",
            "uid": "u-1",
            "labels": {"team": "a"},
            "annotations": {"serving.kserve.io/deploymentMode": "Standard", "modelFormat": "sklearn"},
        },
        "spec": {"predictor": {"model": model, **predictor}},
    }


def runtime(name: str = "ours", *formats: Json, **spec: Any) -> Json:
    container = {"name": "kserve-container", "image": "i:1", "args": ["--model_name={{.Name}}"]}
    found = list(formats) or [{"name": "sklearn", "version": "1", "autoSelect": True}]
    return {
        "metadata": {"name": name, "creationTimestamp": NOW},
        "spec": {"supportedModelFormats": found, "containers": [container], **spec},
    }


def deployment(*conditions: tuple[str, str, str], generation: int = 1) -> Json:
    """Conditions as (type, status, reason)."""
    found = [{"type": kind, "status": status, "reason": why, "message": f"{why}!"} for kind, status, why in conditions]
    return {"status": {"observedGeneration": generation, "conditions": found}}


def pod(name: str = "p", *, ready: bool = False, created: str = NOW, **status: Any) -> Json:
    conditions = [{"type": "Ready", "status": str(ready)}]
    phase = "Running" if ready else "Pending"
    metadata = {"name": name, "creationTimestamp": created}
    return {"metadata": metadata, "status": {"phase": phase, "conditions": conditions, **status}}
