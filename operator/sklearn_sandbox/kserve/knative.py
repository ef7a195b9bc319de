"""An InferenceService in Knative mode: the Knative Service that KServe writes, and what it reads back from it.

The shares follow `canaryTrafficPercent` and the last Revision that had all of the traffic, which is known from the
status alone: whoever loses the status loses the way back. A split needs such a Revision, so the first deploy has none.

Invariant: pure; the status object is changed in place, and only here and in `status`.
"""

from __future__ import annotations

from sklearn_sandbox.knative import names as knative
from sklearn_sandbox.kserve import conditions, names, runtimes, workload
from sklearn_sandbox.kserve.names import Json

ROUTE, CONFIGURATION = "PredictorRouteReady", "PredictorConfigurationReady"
ROUTES, LATEST = "RoutesReady", "LatestDeploymentReady"
TAG_ROUTING = f"{names.GROUP}/enable-tag-routing"


def build(service: Json, chosen: runtimes.Chosen, component: Json) -> Json:
    """`component`: status.components.predictor as it was reported last."""
    predictor = service["spec"]["predictor"]
    metadata, pod = workload.pod(service, predictor, chosen)
    labels = {key: text for key, text in metadata["labels"].items() if key != "app"}
    annotations = {**metadata["annotations"], **_scaling(predictor, metadata["annotations"])}
    own = {key: annotations.pop(key) for key in (knative.ROLLOUT_DURATION,) if key in annotations}
    spec = dict(pod)
    for field, given in (("containerConcurrency", "containerConcurrency"), ("timeoutSeconds", "timeout")):
        if predictor.get(given) is not None:
            spec[field] = predictor[given]
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}
    return {
        "apiVersion": knative.API_VERSION,
        "kind": "Service",
        "metadata": {**metadata, "labels": labels, "annotations": own},
        "spec": {"template": template, "traffic": traffic(predictor, component, annotations)},
    }


def traffic(predictor: Json, component: Json, annotations: Json) -> list[Json]:
    percent, last = predictor.get("canaryTrafficPercent"), component.get("latestRolledoutRevision")
    tagged = {"tag": "latest"} if annotations.get(TAG_ROUTING) == "true" else {}
    if percent is None or not last:
        return [{"latestRevision": True, "percent": 100, **tagged}]
    targets = [{"latestRevision": True, "percent": percent, **tagged}]
    if percent < 100:
        targets.append({"revisionName": last, "latestRevision": False, "percent": 100 - percent, "tag": "prev"})
    return targets


def propagate(status: Json, known: conditions.Conditions, found: Json) -> Json:
    """`found`: the Knative Service's status. Returns status.components.predictor."""
    component: Json = status.setdefault("components", {}).setdefault("predictor", {})
    _set(component, "latestCreatedRevision", found.get("latestCreatedRevisionName"))
    _roll_out(component, found)
    _set(component, "latestReadyRevision", found.get("latestReadyRevisionName"))
    told = {item["type"]: item for item in found.get("conditions") or []}
    if told.get("Ready", {}).get("status") == "True":
        for field in ("address", "url"):
            if found.get(field):
                component[field] = found[field]
    for theirs, ours in (
        ("Ready", conditions.PREDICTOR),
        ("RoutesReady", ROUTE),
        ("ConfigurationsReady", CONFIGURATION),
    ):
        if theirs in told:
            known.set(ours, told[theirs]["status"], told[theirs].get("reason", ""), told[theirs].get("message", ""))
    _set(component, "traffic", found.get("traffic"))
    _set(status, "observedGeneration", found.get("observedGeneration"))
    return component


def across(known: conditions.Conditions) -> None:
    """Of all components; here there is one."""
    for one, whole in ((ROUTE, ROUTES), (CONFIGURATION, LATEST)):
        said = known.status(one) or "Unknown"
        known.set(whole, said, "" if said == "True" else f"{one} not ready")


def _roll_out(component: Json, found: Json) -> None:
    """Moves on when the latest has everything; and back when a Revision that had it is asked to share with itself."""
    targets, latest = found.get("traffic") or [], found.get("latestReadyRevisionName")
    shares: dict[str, int] = {}
    for target in targets:
        shares[target["revisionName"]] = shares.get(target["revisionName"], 0) + int(target.get("percent") or 0)
    for target in targets:
        if target["revisionName"] != latest or not target.get("latestRevision"):
            continue
        percent, last = int(target.get("percent") or 0), component.get("latestRolledoutRevision")
        if last != latest:
            if percent == 100:
                _set(component, "previousRolledoutRevision", last)
                component["latestRolledoutRevision"] = latest
        elif latest == found.get("latestCreatedRevisionName") and percent < 100 and shares[latest] == 100:
            component["latestRolledoutRevision"] = component.get("previousRolledoutRevision") or last


def _scaling(predictor: Json, annotations: Json) -> dict[str, str]:
    """All of it is in the template: a change of it is a new Revision."""
    least, most = predictor.get("minReplicas"), predictor.get("maxReplicas")
    found = {
        knative.CLASS: annotations.get(knative.CLASS, knative.KPA),
        knative.MIN_SCALE: str(1 if least is None else least),
    }
    if most:
        found[knative.MAX_SCALE] = str(most)
    if predictor.get("scaleTarget") is not None:
        found[knative.TARGET] = str(predictor["scaleTarget"])
    if predictor.get("scaleMetric") is not None:
        found[knative.METRIC] = predictor["scaleMetric"]
    return found


def _set(thing: Json, key: str, value: object) -> None:
    if value:
        thing[key] = value
    else:
        thing.pop(key, None)
