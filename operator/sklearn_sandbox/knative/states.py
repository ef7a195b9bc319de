"""The conditions of a Revision and of a Service.

Invariant: pure. A condition that stays what it is keeps its time. Ready is what its parts are: False if one is False,
else Unknown if one is Unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn_sandbox.knative.names import Json


@dataclass(frozen=True)
class State:
    status: str
    reason: str = ""
    message: str = ""


TRUE = State("True")
CONTAINER = "kserve-container"


def of_revision(previous: Json, deployment: Json | None, pods: Sequence[Json]) -> dict[str, State]:
    """`previous`: the Revision's status so far. Once it was up it stays Ready, also at zero."""
    status = (deployment or {}).get("status") or {}
    available = int(status.get("availableReplicas") or 0)
    was_ready = ready(previous).status == "True"
    resources = containers = State("Unknown", "Deploying")
    if available or was_ready:
        resources = containers = TRUE
    elif crash := next(filter(None, map(_crash, pods)), None):
        containers = crash
    progress: Json = next((one for one in status.get("conditions") or [] if one["type"] == "Progressing"), {})
    if not available and progress.get("status") == "False":
        resources = State("False", progress.get("reason", ""), progress.get("message", ""))
    return {
        "Ready": _worst(containers, resources),
        "ContainerHealthy": containers,
        "ResourcesAvailable": resources,
        "Active": _active(deployment, available),
    }


def of_service(latest: Json, routes: State) -> dict[str, State]:
    """`latest`: the latest created Revision, with its status."""
    found = ready(latest.get("status") or {})
    configurations = State(found.status)
    if found.status == "False":
        name = latest["metadata"]["name"]
        configurations = State("False", "RevisionFailed", f'Revision "{name}" failed with message: {found.message}.')
    elif found.status == "Unknown":
        configurations = State("Unknown")
    return {
        "Ready": _worst(configurations, routes),
        "ConfigurationsReady": configurations,
        "RoutesReady": routes,
    }


def ready(status: Json) -> State:
    found = next((one for one in status.get("conditions") or [] if one["type"] == "Ready"), {"status": "Unknown"})
    return State(found["status"], found.get("reason", ""), found.get("message", ""))


def conditions(wanted: dict[str, State], previous: Sequence[Json], now: str) -> list[Json]:
    before = {one["type"]: one for one in previous}
    found = []
    for name, state in sorted(wanted.items()):
        said = {"type": name, "status": state.status, "reason": state.reason, "message": state.message}
        if name == "Active":
            said["severity"] = "Info"
        fresh = {key: value for key, value in said.items() if value}
        old = before.get(name, {})
        same = {key: value for key, value in old.items() if key != "lastTransitionTime"} == fresh
        found.append({**fresh, "lastTransitionTime": old["lastTransitionTime"] if same else now})
    return found


def _worst(*parts: State) -> State:
    for status in ("False", "Unknown"):
        for part in parts:
            if part.status == status:
                return part
    return TRUE


def _active(deployment: Json | None, available: int) -> State:
    if available:
        return TRUE
    if (deployment or {}).get("spec", {}).get("replicas") == 0:
        return State("False", "NoTraffic", "The target is not receiving traffic.")
    return State("Unknown", "Queued", "Requests to the target are being buffered as resources are provisioned.")


def _crash(pod: Json) -> State | None:
    """Of its own container only: what an init container does is not looked at."""
    for one in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (one.get("lastState") or {}).get("terminated") or (one.get("state") or {}).get("terminated")
        if one["name"] == CONTAINER and ended:
            text = f"Container failed with: {ended.get('message', '')}"
            return State("False", f"ExitCode{ended.get('exitCode')}", text)
    return None
