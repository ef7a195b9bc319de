"""A control plane with the KServe stand-in and nobody else: the test plays kubelet, node agent and gateway by hand.

Invariant: pods do only what a test tells them, so every intermediate state can be held and looked at.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

import waiting
from sklearn_sandbox import embedded

Json = dict[str, Any]
#: Of the predictor's Service, and of the HTTPRoute.
ADDRESS, OUTSIDE = "127.0.0.1:4711", "127.0.0.1:4712"
SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
CLUSTER_RUNTIMES = "/apis/serving.kserve.io/v1alpha1/clusterservingruntimes"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
CORE = "/api/v1/namespaces/default"
DEADLINE = 60.0


def inference_service(name: str, version: str = "v1", /, **predictor: Any) -> Json:
    """As the operator writes it."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                "serving.kserve.io/storageSecretName": "sklearn-operator-store",
            },
        },
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "maxReplicas": 1,
                "labels": {"sklearn-operator.io/version": version},
                "model": model(name, version),
                **predictor,
            }
        },
    }


def model(name: str, version: str) -> Json:
    return {
        "modelFormat": {"name": "sklearn"},
        "runtime": "lab",
        "protocolVersion": "v2",
        "storageUri": f"s3://models/{name}/{version}/",
        "env": [{"name": "SKLEARN_MODEL_VERSION", "value": version}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{name}/ready", "port": 8080}, "periodSeconds": 1},
    }


def runtime(name: str = "lab", image: str = "nowhere/none:1") -> Json:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": name},
        "spec": {
            "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": False}],
            "protocolVersions": ["v1", "v2"],
            "containers": [{"name": "kserve-container", "image": image, "args": ["--model_name={{.Name}}"]}],
        },
    }


@dataclass
class Lab:
    cluster: embedded.Cluster
    http: httpx.Client

    def get(self, path: str) -> Json | None:
        answer = self.http.get(path)
        return None if answer.status_code == 404 else _body(answer)

    def there(self, path: str) -> Json:
        found = self.get(path)
        assert found is not None, f"{path} is not there"
        return found

    def items(self, path: str) -> list[Json]:
        return list(self.there(path)["items"])

    def send(self, method: str, path: str, body: Any, kind: str = "application/json") -> httpx.Response:
        return self.http.request(method, path, content=json.dumps(body), headers={"Content-Type": kind})

    def apply(self, path: str, body: Json) -> Json:
        url = f"{path}/{body['metadata']['name']}?fieldManager=lab&force=true"
        return _body(self.send("PATCH", url, body, "application/apply-patch+yaml"))

    def merge(self, path: str, body: Json) -> Json:
        return _body(self.send("PATCH", path, body, "application/merge-patch+json"))

    def delete(self, path: str) -> None:
        self.http.delete(path)

    def service(self, name: str) -> Json:
        return self.there(f"{SERVICES}/{name}")

    def deployment(self, name: str) -> Json:
        return self.there(f"{DEPLOYMENTS}/{name}-predictor")

    def pods(self, name: str, version: str | None = None) -> list[Json]:
        label = f"serving.kserve.io/inferenceservice={name}"
        label += f",sklearn-operator.io/version={version}" if version else ""
        found = self.items(f"{CORE}/pods?labelSelector={label}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def until(self, wanted: Callable[[], Any], play: Callable[[], object] = lambda: None) -> Any:
        """What `wanted` says once it says something; `play` moves the world meanwhile."""

        def played() -> Any:
            play()
            return wanted()

        return waiting.wait_for("what was asked for", played, DEADLINE, pause=0.02)

    def status(self, name: str, path: str, value: Any, play: Callable[[], object] = lambda: None) -> Json:
        """The InferenceService once `status.<path>` has the value; conditions go by their type."""

        def wanted() -> Json | None:
            found = self.get(f"{SERVICES}/{name}")
            return found if found is not None and look(found, path) == value else None

        try:
            found: Json = self.until(wanted, play)
        except AssertionError as error:
            text = json.dumps((self.get(f"{SERVICES}/{name}") or {}).get("status"), indent=1)
            raise AssertionError(f"{path} of {name} never was {value!r}: {text}") from error
        return found

    def play_ready(self, name: str, version: str | None = None) -> None:
        """The node agent gives Services their address, the kubelet makes pods ready, the gateway takes the route."""
        for service in self.items(f"{CORE}/services?labelSelector=serving.kserve.io/inferenceservice={name}"):
            self.note(f"{CORE}/services/{service['metadata']['name']}", ADDRESS)
        self.play_gateway(name)
        for pod in self.pods(name, version):
            if (pod["status"].get("phase")) != "Running":
                self.set_pod(pod, phase="Running", conditions=[{"type": "Ready", "status": "True"}], **running())

    def play_gateway(self, name: str, accepted: str = "True") -> None:
        if (route := self.get(f"{ROUTES}/{name}")) is None:
            return
        self.note(f"{ROUTES}/{name}", OUTSIDE)
        told = {"type": "Accepted", "status": accepted, "reason": "Lab", "message": "by hand"}
        told["lastTransitionTime"] = "2026-11-21T04:43:34Z"
        parent = {"controllerName": "lab", "parentRef": route["spec"]["parentRefs"][0], "conditions": [told]}
        self.merge(f"{ROUTES}/{name}/status", {"status": {"parents": [parent]}})

    def note(self, path: str, address: str) -> None:
        """What a rollout has taken away meanwhile needs no address any more."""
        body = {"metadata": {"annotations": {"sandbox.sklearn-operator.io/address": address}}}
        answer = self.send("PATCH", path, body, "application/merge-patch+json")
        if answer.status_code != 404:
            _body(answer)

    def weights(self, name: str) -> dict[str, int]:
        """Of the HTTPRoute's backends; {} while there is none."""
        route = self.get(f"{ROUTES}/{name}") or {"spec": {"rules": [{"backendRefs": []}]}}
        return {one["name"]: one["weight"] for one in route["spec"]["rules"][0]["backendRefs"]}

    def set_pod(self, pod: Json, **status: Any) -> None:
        """A pod that a rollout has taken away meanwhile is nobody's business any more."""
        path = f"{CORE}/pods/{pod['metadata']['name']}/status"
        answer = self.send("PATCH", path, {"status": status}, "application/merge-patch+json")
        if answer.status_code != 404:
            _body(answer)

    def ready(self, name: str) -> Json:
        """An InferenceService of this name that serves v1."""
        self.apply(SERVICES, inference_service(name))
        return self.status(name, "modelStatus.transitionStatus", "UpToDate", lambda: self.play_ready(name))

    def events(self, name: str, reason: str) -> list[Json]:
        return self.items(f"{CORE}/events?fieldSelector=involvedObject.name={name},reason={reason}")


def running() -> Json:
    state = {"running": {"startedAt": "2026-11-21T04:43:34Z"}}
    server = {"name": "kserve-container", "ready": True, "restartCount": 0, "image": "i", "imageID": "", "state": state}
    return {"containerStatuses": [server]}


def failed_download(message: str) -> Json:
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    status = {"name": "storage-initializer", "ready": False, "restartCount": 0, "image": "i", "imageID": ""}
    return {"initContainerStatuses": [{**status, "state": {"terminated": ended}}]}


def look(thing: Mapping[str, Any], path: str) -> Any:
    """`Ready` -> status of that condition, `Ready.reason`, `modelStatus.states.targetModelState`, ..."""
    status = thing.get("status") or {}
    first, *rest = path.split(".")
    conditions = {item["type"]: item for item in status.get("conditions") or []}
    if first in conditions:
        return conditions[first].get(rest[0] if rest else "status")
    found: Any = status
    for part in (first, *rest):
        found = (found or {}).get(part)
    return found


def connect(cluster: embedded.Cluster) -> httpx.Client:
    authority = cluster.sandbox.authority
    context = ssl.create_default_context(cafile=str(authority.certificate))
    pair = authority.pair("admin")
    context.load_cert_chain(pair.certificate, pair.key)
    return httpx.Client(base_url=cluster.server, verify=context, trust_env=False, timeout=30)


def _body(answer: httpx.Response) -> Json:
    body: Json = answer.json()
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {body.get('message')}"
    return body
