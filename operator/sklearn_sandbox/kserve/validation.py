"""What KServe's validating webhook refuses.

Invariant: pure; the first objection is the answer, None means welcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sklearn_sandbox.kserve import names
from sklearn_sandbox.kserve.names import Json

_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"
_FORMS = ("model", "sklearn", "xgboost", "lightgbm")
_CLASSES = ("hpa", "external", "keda", "none")
_BLOCKED = ("PYTHONPATH",)
_ALL_FORMS = "SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, LightGBM, Paddle, Model"
_EXACTLY_ONE = f"exactly one of [{_ALL_FORMS}] must be specified in PredictorSpec"
_PERCENT = "the target utilization percentage should be a [1-100] integer"


def objection(new: Json, old: Json | None) -> str | None:
    if old is not None:
        if new["metadata"].get("deletionTimestamp"):
            return None
        found = next(_of_update(new, old), None)
        if found:
            return found
    return next(_of_any(new), None)


def _of_update(new: Json, old: Json) -> Iterator[str]:
    recorded = (old.get("status") or {}).get("deploymentMode")
    asked = names.annotations_of(new).get(names.DEPLOYMENT_MODE)
    if recorded and asked is not None and asked != recorded:
        yield f"update rejected: deploymentMode cannot be changed from '{recorded}' to '{asked}'"
    before, after = old["spec"]["predictor"], new["spec"]["predictor"]
    if (before.get("name") or "") != (after.get("name") or "") and _uri(before) == _uri(after):
        yield "predictor.name change requires a model change (e.g. storageUri)"


def _of_any(service: Json) -> Iterator[str]:
    name, predictor = service["metadata"]["name"], service["spec"]["predictor"]
    annotations = names.annotations_of(service)
    if not re.fullmatch(_NAME, name):
        yield (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case '
            "alphanumeric characters or '-', and must start with alphabetical character. "
            f'(e.g. "my-name" or "abc-123", regex used for validation is \'{_NAME}\')'
        )
    scaler = annotations.get(names.AUTOSCALER_CLASS)
    if scaler is not None and scaler not in _CLASSES:
        yield f"[{scaler}] is not a supported autoscaler class type"
    containers = [*(predictor.get("containers") or []), *(predictor[form] for form in _FORMS if predictor.get(form))]
    for container in containers:
        for variable in container.get("env") or []:
            if variable["name"] in _BLOCKED:
                where = container.get("name") or ""
                text = f'setting {variable["name"]} in container "{where}" is not allowed for security reasons'
                yield f'the InferenceService "{name}" is invalid: {text}'
    if any((predictor.get(form) or {}).get("name") for form in _FORMS):
        yield "the 'name' field is not allowed in standard predictor"
    if _uri(predictor) is not None and predictor.get("storageUris"):
        yield "Setting both StorageURI and StorageURIs is not supported."
    yield from _storage_uris(predictor)
    yield from _component(predictor)
    yield from _scaling(annotations, predictor)
    yield from _canaries(service)


def _component(predictor: Json) -> Iterator[str]:
    if _forms(predictor) != 1:
        yield _EXACTLY_ONE
    if (predictor.get("containerConcurrency") or 0) < 0:
        yield "parallelism cannot be less than 0"
    minimum = predictor.get("minReplicas")
    minimum = 1 if minimum is None else minimum
    maximum = predictor.get("maxReplicas") or 0
    if minimum < 0:
        yield "'MinReplicas' cannot be less than 0"
    if maximum < 0:
        yield "'MaxReplicas' cannot be less than 0"
    if minimum > maximum != 0:
        yield "'MinReplicas' cannot be greater than MaxReplicas"


def _scaling(annotations: Mapping[str, str], predictor: Json) -> Iterator[str]:
    """Keyed on the annotations alone: without `Standard` the rules are Knative's, without `hpa` there are none."""
    if annotations.get(names.DEPLOYMENT_MODE) == names.STANDARD:
        if annotations.get(names.AUTOSCALER_CLASS) == "hpa":
            yield from _hpa(predictor)
        elif annotations.get(names.AUTOSCALER_CLASS) == "keda" and predictor.get("scaleMetric") is not None:
            yield "ScaleMetric is not supported for KEDA"
        return
    if annotations.get("autoscaling.knative.dev/class") == "hpa.autoscaling.knative.dev":
        yield from _hpa(predictor)
        return
    if predictor.get("deploymentStrategy") is not None:
        yield "customizing deploymentStrategy is only supported for raw deployment mode"
    metric, target = predictor.get("scaleMetric") or "concurrency", predictor.get("scaleTarget")
    if metric not in ("concurrency", "rps"):
        yield f"[{metric}] is not a supported metric"
    if metric == "rps" and target is not None and target < 1:
        yield "the target for rps should be greater than 1"


def _hpa(predictor: Json) -> Iterator[str]:
    metric, target = predictor.get("scaleMetric") or "cpu", predictor.get("scaleTarget")
    if metric not in ("cpu", "memory"):
        yield f"[{metric}] is not a supported metric"
    if target is not None:
        # More than 100 is refused for memory too, where it would be an amount.
        if (metric == "cpu" and target < 1) or target > 100:
            yield _PERCENT
        if metric == "memory" and target < 1:
            yield "the target memory should be greater than 1 MiB"
    for item in (predictor.get("autoScaling") or {}).get("metrics") or []:
        if item["type"] != "Resource":
            yield f"invalid HPA metric source type with value [{item['type']}],valid metric source types are Resource"
        elif item.get("resource") is None:
            yield "metricSpec.Resource is not set for resource metric source type"


def _canaries(service: Json) -> Iterator[str]:
    spec, seen, total = service["spec"], set[str](), 0
    canaries, stable = spec.get("canary") or [], spec["predictor"]
    if canaries and names.annotations_of(service).get(names.DEPLOYMENT_MODE) != names.STANDARD:
        yield "canary is only supported in Standard deployment mode"
    for index, canary in enumerate(canaries):
        name, share = canary["predictor"].get("name") or "", canary["trafficPercent"]
        if not name:
            yield f"canary[{index}] predictor.name is required"
        if name in seen:
            yield f'canary predictor.name "{name}" is duplicated'
        if name == (stable.get("name") or ""):
            yield f'canary predictor.name "{name}" conflicts with stable predictor name'
        if not 0 <= share <= 100:
            yield f'canary "{name}" trafficPercent must be between 0 and 100, got {share}'
        seen.add(name)
        total += share
        yield from _canary(name, canary["predictor"], stable)
    if total > 100:
        yield f"sum of canary trafficPercent values ({total}) must be <= 100"


def _canary(name: str, predictor: Json, stable: Json) -> Iterator[str]:
    for text in _component(predictor):
        yield f'canary "{name}" predictor: {text}'
    if (predictor.get("maxReplicas") or 0) > 0:
        yield f'canary "{name}" must not set maxReplicas (canary uses fixed replicas)'
    for field in ("scaleTarget", "scaleMetric", "autoScaling"):
        if predictor.get(field) is not None:
            yield f'canary "{name}" must not set {field} (canary uses fixed replicas)'
    asked, least = predictor.get("minReplicas"), stable.get("minReplicas")
    least = 1 if least is None else least
    if asked is not None and asked > least:
        yield f'canary "{name}" minReplicas ({asked}) must not exceed stable predictor minReplicas ({least})'


def _storage_uris(predictor: Json) -> Iterator[str]:
    for item in predictor.get("storageUris") or []:
        path = item.get("mountPath") or ""
        if path == "/":
            yield "storage path cannot be empty"
        if ".." in path:
            yield f"storage path cannot contain '..' for security reasons: {path}"


def _forms(predictor: Json) -> int:
    """Containers count as a form when one is the server, or when there is nothing else."""
    count = sum(predictor.get(form) is not None for form in _FORMS)
    containers = predictor.get("containers") or []
    count += sum(item["name"] == names.CONTAINER for item in containers)
    return 1 if containers and not count else count


def _uri(predictor: Json) -> str | None:
    found = [predictor[form].get("storageUri") for form in _FORMS if predictor.get(form) is not None]
    return found[0] if found else None
