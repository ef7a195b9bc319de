"""The HTTPRoute of an InferenceService in Standard mode, as KServe writes it with Gateway API.

Only canaries that the status calls ready have a weight, the stable predictor has what they leave of 100. A backend of
weight 0 stays in the list. Without `spec.canary` there is one backend.

Not played: the second route for the predictor's own host, the headers that tell name and namespace, and the matches of
paths, of which all lead to the same place here.

Invariant: pure. A canary that is not in the reported statuses gets nothing. What the schema would fill in is written
out: applying the same again would otherwise be a write.
"""

from __future__ import annotations

from collections.abc import Sequence

from sklearn_sandbox.kserve import names
from sklearn_sandbox.kserve.names import Json

PORT = 80
TIMEOUT_SECONDS = 60
#: The gateway that KServe's shipped configuration names.
_PARENT = {
    "group": "gateway.networking.k8s.io",
    "kind": "Gateway",
    "namespace": "kserve",
    "name": "kserve-ingress-gateway",
}


def build(service: Json, reported: Sequence[Json]) -> Json:
    """`reported`: the canaryStatuses of the same pass."""
    metadata, spec = service["metadata"], service["spec"]
    seconds = spec["predictor"].get("timeout")
    rule = {
        "backendRefs": backends(metadata["name"], spec, reported),
        "timeouts": {"request": f"{TIMEOUT_SECONDS if seconds is None else seconds}s"},
    }
    annotations = names.annotations_of(service)
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": names.labels_of(service),
            "annotations": {key: value for key, value in annotations.items() if key not in names.NOT_PROPAGATED},
            "ownerReferences": [names.owner(service)],
        },
        "spec": {
            "parentRefs": [dict(_PARENT)],
            "hostnames": [names.host(metadata["name"], metadata["namespace"])],
            "rules": [rule],
        },
    }


def backends(name: str, spec: Json, reported: Sequence[Json]) -> list[Json]:
    stable = names.predictor(name, spec["predictor"].get("name") or "")
    canaries = spec.get("canary") or []
    if not canaries:
        return [_backend(stable, 1)]
    ready = {status["name"] for status in reported if status["ready"]}
    chosen = [canary for canary in canaries if canary["predictor"]["name"] in ready]
    left = 100 - sum(canary["trafficPercent"] for canary in chosen)
    weighted = [
        _backend(names.predictor(name, canary["predictor"]["name"]), canary["trafficPercent"]) for canary in chosen
    ]
    return [_backend(stable, left), *weighted]


def refusal(route: Json | None) -> tuple[str, str] | None:
    """Why KServe would not call the ingress ready: reason and message. None: every parent took the route."""
    if route is None:
        return "Predictor Deployment NotReady", "Predictor HTTPRoute not created"
    parents = (route.get("status") or {}).get("parents") or []
    if not parents:
        return "ParentStatusNotAvailable", "InferenceService HttpRouteNotReady"
    for condition in (condition for parent in parents for condition in parent.get("conditions") or []):
        if condition["status"] == "False":
            return condition["reason"], f"InferenceService {condition.get('message', '')}"
    return None


def _backend(name: str, weight: int) -> Json:
    return {"group": "", "kind": "Service", "name": name, "port": PORT, "weight": weight}
