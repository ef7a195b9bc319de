"""Who gets which share: the targets of a Service, resolved to Revisions, and the route that follows from them.

Invariant: pure. There is a split only when every target has a Revision that is Ready; until then all stays as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sklearn_sandbox.knative import names
from sklearn_sandbox.knative.names import Json

TIMEOUT = "300s"
_PARENT = {
    "group": "gateway.networking.k8s.io",
    "kind": "Gateway",
    "namespace": "knative-serving",
    "name": "knative-ingress-gateway",
}


class Missing(Exception):
    """A target has no Revision to go to. `broken`: it will not get one by waiting."""

    def __init__(self, text: str, *, broken: bool) -> None:
        super().__init__(text)
        self.broken = broken


def resolve(service: Json, latest_ready: str | None, ready: Collection[str], known: Collection[str]) -> list[Json]:
    """The targets with the names of their Revisions. Raises Missing."""
    name, resolved = service["metadata"]["name"], []
    for target in service["spec"].get("traffic") or [{"latestRevision": True, "percent": 100}]:
        chosen = latest_ready if target.get("latestRevision") else target["revisionName"]
        if chosen is None:
            raise Missing(f'Configuration "{name}" is waiting for a Revision to become ready.', broken=False)
        if chosen not in known:
            raise Missing(f'Revision "{chosen}" referenced in traffic not found.', broken=True)
        if chosen not in ready:
            raise Missing(f'Revision "{chosen}" is not yet ready.', broken=False)
        resolved.append({**target, "latestRevision": bool(target.get("latestRevision")), "revisionName": chosen})
    return resolved


def route(service: Json, resolved: Sequence[Json]) -> Json:
    """One HTTPRoute; targets of one Revision are one backend, targets of 0 % none."""
    shares: dict[str, int] = {}
    for target in resolved:
        shares[target["revisionName"]] = shares.get(target["revisionName"], 0) + int(target.get("percent") or 0)
    metadata = service["metadata"]
    backends = [
        {"group": "", "kind": "Service", "name": names.private(name), "port": 80, "weight": share}
        for name, share in shares.items()
        if share
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {names.SERVICE: metadata["name"]},
            "ownerReferences": [names.owner(service, "Service")],
        },
        "spec": {
            "parentRefs": [dict(_PARENT)],
            "hostnames": [f"{metadata['name']}.{metadata['namespace']}.example.com"],
            "rules": [{"backendRefs": backends, "timeouts": {"request": TIMEOUT}}],
        },
    }


def in_force(live: Json) -> bool:
    """Whether the gateway has said that it goes by the route as it is."""
    parents = (live.get("status") or {}).get("parents") or []
    told = [one for parent in parents for one in parent.get("conditions") or []]
    generation = live["metadata"]["generation"]
    return bool(told) and all(
        one["status"] == "True" and one.get("observedGeneration", generation) == generation for one in told
    )
