"""What KServe reports about a predictor in Standard mode, with its blind spots.

The two that hurt: observedGeneration is the Deployment's, not the InferenceService's; and once Ready, a new version
whose pods never get ready changes nothing, neither Ready nor transitionStatus, before the progress deadline.

Invariant: pure; the status object is changed in place, and only here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sklearn_sandbox.kserve import conditions, names
from sklearn_sandbox.kserve.names import Json


def from_deployment(status: Json, known: conditions.Conditions, deployment: Json, url: str) -> None:
    """PredictorReady from the Deployment's conditions, in the order in which KServe lets one overrule the other."""
    found = {item["type"]: item for item in (deployment.get("status") or {}).get("conditions") or []}
    available, progressing = found.get("Available", {}), found.get("Progressing", {})
    verdict: tuple[str, Json] = ("True", available) if available.get("status") == "True" else ("False", {})
    if progressing.get("status") == "False":
        if progressing.get("message"):
            verdict = ("False", progressing)
    elif progressing.get("status") == "True":
        if progressing.get("reason") == "NewReplicaSetAvailable":
            verdict = ("True", progressing)
        elif available.get("status") != "True":
            verdict = ("Unknown", progressing)
    if available.get("status") == "False":
        verdict = ("False", available)
    if found.get("ReplicaFailure", {}).get("status") == "True":
        verdict = ("False", found["ReplicaFailure"])
    ready, source = verdict
    component = status.setdefault("components", {}).setdefault("predictor", {})
    if ready == "True":
        component["url"] = url
    known.set(conditions.PREDICTOR, ready, source.get("reason", ""), source.get("message", ""))
    _set(status, "observedGeneration", (deployment.get("status") or {}).get("observedGeneration"))


def failed(status: Json, known: conditions.Conditions, text: str) -> None:
    """The children could not be written."""
    status.setdefault("components", {}).setdefault("predictor", {})
    known.set(conditions.PREDICTOR, "False", "ReconcileFailed", text)


def from_pods(
    status: Json, known: conditions.Conditions, pods: Sequence[Json], *, current: bool = True, broken: bool = False
) -> bool:
    """modelStatus; of the pods only the newest is looked at. False: look again in a second, write nothing now.

    Of Knative: `current`, the latest created Revision is the latest ready one; `broken`, something of it is False.
    """
    model = status.setdefault("modelStatus", {"transitionStatus": ""})
    model["copies"] = {"failedCopies": 0}
    if ready := sum(map(_is_ready, pods)):
        model["copies"]["totalCopies"] = ready
    if not pods:
        # At zero it stays Pending for ever, though Ready.
        _target(model, "FailedToLoad" if broken else "Pending")
        return True
    newest = newest_first(pods)[0].get("status") or {}
    initializer = _container(newest.get("initContainerStatuses"), names.INITIALIZER)
    if initializer is not None:
        if "running" in (initializer.get("state") or {}):
            if "terminated" in (initializer.get("lastState") or {}):
                return False
            _target(model, "Loading")
            return True
        if failure := _failure(initializer):
            _target(model, "FailedToLoad", failure)
            return True
    if known.status(conditions.READY) == "True" and current:
        # Here a broken new version hides behind the old pods that still serve.
        _target(model, "Loaded")
        return True
    server = _container(newest.get("containerStatuses"), names.CONTAINER)
    if server is not None:
        failure = _failure(server)
        _target(model, "FailedToLoad" if failure else "Pending", failure)
    return True


def invalid(status: Json, reason: str, message: str) -> None:
    """Nothing is rolled out; what runs goes on."""
    model = status.setdefault("modelStatus", {"transitionStatus": ""})
    model["transitionStatus"] = "InvalidSpec"
    model.setdefault("states", {"activeModelState": ""})["targetModelState"] = "FailedToLoad"
    model["lastFailureInfo"] = {"reason": reason, "message": message}


def runtime(status: Json, name: str, cluster_wide: bool) -> None:
    _set(status, "clusterServingRuntimeName", name if cluster_wide else None)
    _set(status, "servingRuntimeName", None if cluster_wide else name)


def addresses(status: Json, known: conditions.Conditions, outside: str | None, inside: str | None) -> None:
    """`url` and `address`: where it can be reached. Deliberately the sandbox's own addresses, see the package."""
    _set(status, "url", f"http://{outside}" if outside else None)
    _set(status, "address", {"url": f"http://{inside}"} if inside else None)
    known.set(conditions.INGRESS, "True" if outside and inside else "Unknown")


def newest_first(pods: Sequence[Json]) -> list[Json]:
    """Creation times have whole seconds; replicas of one second are ordered by name."""
    ordered = sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
    return sorted(ordered, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), reverse=True)


def _target(model: Json, state: str, failure: Json | None = None) -> None:
    states = model.setdefault("states", {"activeModelState": ""})
    states["targetModelState"] = state
    model["transitionStatus"] = {"Loaded": "UpToDate", "FailedToLoad": "BlockedByFailedLoad"}.get(state, "InProgress")
    if state == "Loaded":
        states["activeModelState"] = state
    if failure is not None:
        model["lastFailureInfo"] = failure  # never cleared again


def _failure(container: Json) -> Json | None:
    """What ended with reason Error, or waits in CrashLoopBackOff; out of memory or a missing image is no failure."""
    state = container.get("state") or {}
    ended = state.get("terminated") or {}
    if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
    elif ended.get("reason") != "Error":
        return None
    found = {"reason": "ModelLoadFailed", "message": ended.get("message"), "exitCode": ended.get("exitCode")}
    return {key: value for key, value in found.items() if value}


def _is_ready(pod: Json) -> bool:
    status = pod.get("status") or {}
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or [])
    return status.get("phase") == "Running" and ready


def _container(statuses: Sequence[Json] | None, name: str) -> Json | None:
    return next((item for item in statuses or [] if item["name"] == name), None)


def _set(status: Json, key: str, value: object) -> None:
    """As Go leaves out what is empty."""
    if value:
        status[key] = value
    else:
        status.pop(key, None)
