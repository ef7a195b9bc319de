"""The children of a predictor: Deployment, Service and autoscaler, as KServe makes them.

Invariant: pure; an InferenceService and a runtime in, manifests out. Every label and annotation of the InferenceService
is in the pod template, so any change of them rolls the pods.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from sklearn_sandbox.kserve import merging, names, runtimes
from sklearn_sandbox.kserve.names import Json

_PLAIN = ("modelFormat", "runtime", "runtimeVersion", "protocolVersion", "storageUri", "storage")
_POD_FIELDS = (
    "serviceAccountName", "automountServiceAccountToken", "priorityClassName", "runtimeClassName", "schedulerName",
    "terminationGracePeriodSeconds", "nodeSelector", "affinity", "securityContext", "tolerations",
    "topologySpreadConstraints", "volumes", "imagePullSecrets",
)  # fmt: skip
_RUNTIME_POD_FIELDS = ("nodeSelector", "affinity", "tolerations", "volumes", "imagePullSecrets", "schedulerName")
_POD_DEFAULTS: Json = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER_DEFAULTS = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_STORAGE = ("gs", "s3", "pvc", "file", "https", "http", "hdfs", "webhdfs", "oci", "oci+native", "oci+fetch", "hf")


@dataclass(frozen=True)
class Workload:
    name: str
    deployment: Json
    service: Json
    #: None where the annotation says that somebody else scales, or nobody.
    autoscaler: Json | None


class Unsupported(Exception):
    """Something no status field tells; an event does."""


def pod(service: Json, predictor: Json, runtime: runtimes.Chosen) -> tuple[Json, Json]:
    """What every form of it has in common: the metadata of the children, and the pod's spec."""
    name = names.predictor(service["metadata"]["name"], predictor.get("name") or "")
    return _metadata(service, predictor, runtime.spec, name), _pod(service, predictor, runtime)


def build(service: Json, predictor: Json, runtime: runtimes.Chosen) -> Workload:
    """The children of one predictor of the InferenceService (its own, or a canary's)."""
    metadata, spec = pod(service, predictor, runtime)
    name = metadata["name"]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": {"app": names.app_label(name)}},
            "template": {
                "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
                "spec": spec,
            },
            **_strategy(predictor),
        },
    }
    scaler = metadata["annotations"].get(names.AUTOSCALER_CLASS, "hpa")
    if scaler == "none" and predictor.get("minReplicas") is not None:
        deployment["spec"]["replicas"] = predictor["minReplicas"]  # type: ignore[index]
    return Workload(
        name=name,
        deployment=deployment,
        service=_service(metadata, name, spec),
        autoscaler=_autoscaler(metadata, name, predictor) if scaler == "hpa" else None,
    )


def _metadata(service: Json, predictor: Json, runtime: Json, name: str) -> Json:
    annotations = {**(runtime.get("annotations") or {}), **names.annotations_of(service)}
    annotations |= predictor.get("annotations") or {}
    annotations = {key: value for key, value in annotations.items() if key not in names.NOT_PROPAGATED}
    if uri := (predictor.get("model") or {}).get("storageUri"):
        _check_uri(uri)
        annotations[names.SOURCE_URI] = uri
    labels = {**(runtime.get("labels") or {}), **names.labels_of(service), **(predictor.get("labels") or {})}
    labels |= {names.ISVC_LABEL: service["metadata"]["name"], "component": "predictor", "app": names.app_label(name)}
    return {
        "name": name,
        "namespace": service["metadata"]["namespace"],
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [names.owner(service)],
    }


def _check_uri(uri: str) -> None:
    scheme, separator, _ = uri.partition("://")
    if separator and scheme not in _STORAGE:
        shown = ", ".join(f"{name}://" for name in _STORAGE)
        text = f"StorageURI not supported: storageUri, must be one of: [{shown}]. StorageUri [{uri}] is not supported."
        raise Unsupported(text)


def _pod(service: Json, predictor: Json, runtime: runtimes.Chosen) -> Json:
    containers = runtime.spec.get("containers") or []
    if not containers:
        text = "no container configuration found in selected serving runtime"
        raise runtimes.InvalidSpec("InvalidPredictorSpec", text)
    served = next((item for item in containers if item["name"] == names.CONTAINER), None)
    if served is None:
        text = f"failed to find {names.CONTAINER} container in ServingRuntime containers"
        raise runtimes.InvalidSpec("InvalidPredictorSpec", text)
    own = {key: value for key, value in predictor["model"].items() if key not in _PLAIN}
    merged = merging.merge_containers(served, own)
    try:
        merged = merging.fill_placeholders(merged, service["metadata"])
    except merging.BadPlaceholder as error:
        text = f"failed to replace placeholders in serving runtime {runtime.name} Container {served['name']}"
        raise runtimes.InvalidSpec("InvalidPredictorSpec", text, f"{text}: {error}") from error
    if version := predictor["model"].get("runtimeVersion"):
        merged["image"] = _retag(merged.get("image") or "", version)
    others = [copy.deepcopy(item) for item in containers if item["name"] != names.CONTAINER]
    others += copy.deepcopy(predictor.get("containers") or [])
    base = {key: runtime.spec[key] for key in _RUNTIME_POD_FIELDS if key in runtime.spec}
    pod = merging.merge(base, {key: predictor[key] for key in _POD_FIELDS if key in predictor})
    pod = {**_POD_DEFAULTS, **pod, "containers": [_complete(item, service) for item in (merged, *others)]}
    return dict(pod)


def _retag(image: str, version: str) -> str:
    if "@sha256:" in image:
        return image
    folder, slash, last = image.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}:{version}"


def _complete(container: Json, service: Json) -> Json:
    complete = {**_CONTAINER_DEFAULTS, **container}
    own = {"name": "INFERENCE_SERVICE_NAME", "value": service["metadata"]["name"]}
    complete["env"] = [*(item for item in complete.get("env") or [] if item["name"] != own["name"]), own]
    if container["name"] == names.CONTAINER and not container.get("readinessProbe"):
        ports = container.get("ports") or [{"containerPort": 8080}]
        # A TCP connect: it succeeds without any model.
        complete["readinessProbe"] = {
            "tcpSocket": {"port": ports[0]["containerPort"]},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        }
    return complete


def _strategy(predictor: Json) -> Json:
    if chosen := predictor.get("deploymentStrategy"):
        return {"strategy": copy.deepcopy(chosen)}
    return {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }


def _service(metadata: Json, name: str, pod: Json) -> Json:
    declared = pod["containers"][0].get("ports") or [{"name": name, "containerPort": 8080}]
    ports: list[Json] = []
    for index, port in enumerate(declared):
        number = port["containerPort"]
        entry: Json = {"port": number if index else 80, "targetPort": number, "protocol": port.get("protocol", "TCP")}
        if text := port.get("name"):
            entry["name"] = text
            if "grpc" in text or "h2c" in text:
                entry["appProtocol"] = "kubernetes.io/h2c"
        ports.append(entry)
    spec = {"selector": {"app": names.app_label(name)}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _autoscaler(metadata: Json, name: str, predictor: Json) -> Json:
    """There is always one; with no maximum it holds the minimum. It never goes below one."""
    minimum = max(1, predictor["minReplicas"] if predictor.get("minReplicas") is not None else 1)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": minimum,
            "maxReplicas": max(minimum, predictor.get("maxReplicas") or 0),
            "metrics": _metrics(predictor),
        },
    }


def _metrics(predictor: Json) -> list[Json]:
    scaling = predictor.get("autoScaling")
    if scaling is not None:
        return [_resource_metric(item["resource"]) for item in scaling.get("metrics") or [] if item.get("resource")]
    metric, target = predictor.get("scaleMetric") or "cpu", predictor.get("scaleTarget")
    if metric == "cpu":
        return [_utilization("cpu", target if target is not None else 80)]
    return [_utilization("memory", target)] if metric == "memory" and target is not None else []


def _resource_metric(resource: Json) -> Json:
    target = resource["target"]
    if resource["name"] == "memory" and target.get("type") == "AverageValue":
        average: Any = target.get("averageValue")
        return {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": average}},
        }
    return _utilization(resource["name"], target.get("averageUtilization", 80))


def _utilization(name: str, percent: int) -> Json:
    return {
        "type": "Resource",
        "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}},
    }
