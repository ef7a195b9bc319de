"""The InferenceService: what it should be, whether it is that, and whether the version behind it really answers.

Invariant: KServe's own Ready and observedGeneration prove nothing about a new version (in Standard mode both stay as
they are while a broken version rolls out). A version is live when the Deployment that carries its label is rolled out
and a prediction was checked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import knative, naming, observed, ownership, places, quantities, times
from sklearn_operator.core.settings import Settings

PORT = 8080  # of the project's runtime
#: What Knative scales by.
PER_REQUEST = ("concurrency", "rps")
API_VERSION = "serving.kserve.io/v1beta1"
_DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
_STORAGE_SECRET = "serving.kserve.io/storageSecretName"
#: How the server learns what it has to load; nobody else sets these.
OWN_VARIABLES = (_VERSION_VARIABLE, _SHA_VARIABLE) = ("SKLEARN_MODEL_VERSION", "SKLEARN_MODEL_SHA256")


@dataclass(frozen=True)
class Share:
    """The share of the requests that ``version`` gets, behind the predictor called ``name``; ``weight`` in per cent."""

    version: str
    name: str
    weight: int


def manifest(
    model: observed.Model,
    spec: api.SklearnModelSpec,
    version: observed.Version,
    settings: Settings,
    predictor: str = "",
    canary: tuple[observed.Version, Share] | None = None,
    beside: str | None = None,
) -> dict[str, Any] | None:
    """The InferenceService that serves ``version``; None where the model is trained only.

    ``predictor``: the name of the predictor, which is in the names of its Deployment and Service. ``canary``: a version
    that gets a share of the requests. ``beside``: in Knative mode, what the newest revision was made beside.
    """
    serving = spec.serving
    if serving is None:
        return None
    name = model.key.name
    named = {"name": predictor} if predictor else {}
    secret = places.secret(version.training, settings)
    if canary is not None and serving.deployment_mode == knative.MODE:
        candidate, share = canary
        beside, secret = version.name, places.secret(candidate.training, settings)
        shared = {"canaryTrafficPercent": share.weight}
        parts: dict[str, Any] = {"predictor": shared | _predictor(name, serving, candidate, settings)}
    else:
        parts = {"predictor": named | _predictor(name, serving, version, settings)}
        if canary is not None:
            parts["canary"] = [_canary(name, serving, *canary, settings)]
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": model.key.namespace,
            "labels": naming.child_labels(name),
            "annotations": {
                _DEPLOYMENT_MODE: serving.deployment_mode,
                _STORAGE_SECRET: secret,
                **({knative.BESIDE: beside} if beside else {}),
            },
            "ownerReferences": [owner(model)],
        },
        "spec": parts,
    }


def _canary(
    name: str, serving: api.ServingSpec, version: observed.Version, share: Share, settings: Settings
) -> dict[str, Any]:
    """As many replicas as its share needs; KServe gives it no autoscaler."""
    predictor = _predictor(name, serving, version, settings)
    for scaling in ("maxReplicas", "scaleMetric", "scaleTarget"):
        predictor.pop(scaling, None)
    predictor["minReplicas"] = max(1, math.ceil(serving.min_replicas * share.weight / 100))
    return {"trafficPercent": share.weight, "predictor": {"name": share.name, **predictor}}


def _predictor(name: str, serving: api.ServingSpec, version: observed.Version, settings: Settings) -> dict[str, Any]:
    artifact = version.status.get("artifact") or {}
    environment = {variable["name"]: _without_nothing(variable) for variable in _dump(serving.env)}
    for key, value in {_VERSION_VARIABLE: version.name, _SHA_VARIABLE: artifact.get("sha256")}.items():
        environment[key] = {"name": key, "value": value}
    predictor: dict[str, Any] = {
        "minReplicas": serving.min_replicas,
        "maxReplicas": serving.max_replicas,
        "labels": {naming.LABEL_VERSION: version.name},
        "model": {
            "modelFormat": {"name": "sklearn"},
            "runtime": serving.runtime or settings.runtime,
            "protocolVersion": str(serving.protocol).lower(),
            "storageUri": artifact.get("uri"),
            "env": list(environment.values()),
            "resources": _resources(serving.resources)
            or {"requests": dict(settings.serving_requests), "limits": dict(settings.serving_limits)},
            # The last lines of the log are the only place where a server says why it would not start.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            # KServe's default probe is a TCP connect, which succeeds with no model at all.
            "readinessProbe": {
                "httpGet": {"path": f"/v2/models/{name}/ready", "port": PORT},
                "periodSeconds": 1,
                "timeoutSeconds": 5,
            },
        },
    }
    if serving.deployment_mode == "Standard":
        # What Pod Security's level "restricted" asks for and KServe's chart leaves out of the container that fetches
        # the model. Knative takes no such field of a pod.
        predictor["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if serving.deployment_mode == "Standard" or serving.scale_metric in PER_REQUEST:
        predictor |= {"scaleMetric": serving.scale_metric, "scaleTarget": serving.scale_target}
    return predictor


def _resources(asked: api.Resources | None) -> dict[str, Any]:
    """Without empty parts: applied over a filled one, ``limits: {}`` becomes a null that KServe's schema refuses."""
    return {kind: amounts for kind, amounts in (_dump(asked) or {}).items() if amounts}


def _without_nothing(variable: Mapping[str, Any]) -> dict[str, Any]:
    """An empty value is no value to Kubernetes, and KServe's webhook leaves it out."""
    return {name: value for name, value in variable.items() if value != ""}


def _dump(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_dump(item) for item in value]
    return value.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(value, api.ApiModel) else value


def owner(model: observed.Model) -> dict[str, Any]:
    return {
        "apiVersion": naming.API_VERSION,
        "kind": "SklearnModel",
        "name": model.key.name,
        "uid": model.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_ours(service: observed.Json, model: observed.Model) -> bool:
    references = (service.get("metadata") or {}).get("ownerReferences") or []
    return any(reference.get("uid") == model.uid for reference in references)


def differs(desired: Mapping[str, Any], live: observed.Json) -> str | None:
    """Path of the first field of ours that is not as desired; fields that KServe's webhooks add are not ours.

    What is ours beyond what is desired, the API server knows: the fields that our last apply set.
    """
    metadata = {"labels", "annotations"}
    wanted = {"metadata": {k: v for k, v in desired["metadata"].items() if k in metadata}, "spec": desired["spec"]}
    return _first_difference(wanted, live, "") or ownership.leftover(live, desired)


def _first_difference(wanted: Any, live: Any, path: str) -> str | None:
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return path
        for key, value in wanted.items():
            found = _first_difference(value, live.get(key), f"{path}.{key}" if path else str(key))
            if found:
                return found
        return None
    if isinstance(wanted, list):
        if not all("name" in item for item in wanted):
            return _first_difference(dict(enumerate(wanted)), dict(enumerate(live or ())), path)
        named = {item.get("name"): item for item in live or () if isinstance(item, Mapping)}
        for ours in wanted:
            found = _first_difference(ours, named.get(ours["name"]), f"{path}[{ours['name']}]")
            if found:
                return found
        return None
    return None if wanted == live or _same_amount(wanted, live, path) else path


def _same_amount(wanted: Any, live: Any, path: str) -> bool:
    """KServe's webhook writes ``1000m`` as ``1``."""
    if ".resources." not in path or live is None:
        return False
    try:
        return quantities.parse(wanted) == quantities.parse(live)
    except ValueError:
        return False


@dataclass(frozen=True)
class Verdict:
    """``live``: the version answers, proved. ``rolled_out``: everything but the proof. ``trouble``: why it is late.

    ``refused``: as the manifest is now, it never will. ``written``: it is only being asked for by this very plan.
    """

    live: bool = False
    rolled_out: bool = False
    trouble: str | None = None
    reason: str = "Deploying"
    refused: bool = False
    written: bool = False


def carried_version(service: observed.Json | None) -> str | None:
    """The version that the InferenceService's spec gives the requests to, but for a candidate's share."""
    if knative.share(service) is not None:
        return knative.stable(service)
    predictor = ((service or {}).get("spec") or {}).get("predictor") or {}
    label = (predictor.get("labels") or {}).get(naming.LABEL_VERSION)
    return str(label) if label else None


def runtime_of(service: observed.Json | None) -> str | None:
    """The runtime that the InferenceService asks for."""
    predictor = ((service or {}).get("spec") or {}).get("predictor") or {}
    name = (predictor.get("model") or {}).get("runtime")
    return str(name) if name else None


def predictor_name(service: observed.Json | None) -> str:
    """Of the predictor that carries the stable version; empty where it has none."""
    return str((((service or {}).get("spec") or {}).get("predictor") or {}).get("name") or "")


def other_name(service: observed.Json | None) -> str:
    """A name for the predictor of a candidate: it has to differ, and stays when the candidate takes over."""
    return "b" if predictor_name(service) == "a" else "a"


def workload(service: str, predictor: str) -> str:
    """Name of the Deployment and of the Service that KServe makes for a predictor."""
    return f"{service}-{predictor}-predictor" if predictor else f"{service}-predictor"


def deployment_name(service: observed.Json | None, model: str) -> str:
    """The Deployment behind the predictor; in Knative mode that of the newest revision that was ever ready."""
    if not knative.reported(service):
        return workload(model, predictor_name(service))
    return knative.stable_deployment(service)


def canary_deployment_name(service: observed.Json | None, model: str) -> str | None:
    """The Deployment of the version that gets a share."""
    share = share_of(service)
    if share is None:
        return None
    return knative.newest_deployment(service) if knative.share(service) else workload(model, share.name)


def share_of(service: observed.Json | None) -> Share | None:
    """The version that gets a share by the InferenceService's spec, and how much."""
    if (shared := knative.share(service)) is not None:
        return Share(shared[0], "", shared[1])
    canaries = ((service or {}).get("spec") or {}).get("canary") or ()
    first = canaries[0] if canaries and isinstance(canaries[0], Mapping) else {}
    predictor = first.get("predictor") or {}
    label = (predictor.get("labels") or {}).get(naming.LABEL_VERSION)
    weight = first.get("trafficPercent")
    return Share(str(label), str(predictor.get("name") or ""), int(weight)) if label and weight is not None else None


def routed(service: observed.Json | None, share: Share) -> bool:
    """Whether KServe has made the route what the share says."""
    if knative.share(service) is not None:
        return knative.routed(service, share.weight)
    rows = ((service or {}).get("status") or {}).get("canaryStatuses") or ()
    return any((row.get("name"), row.get("trafficPercent")) == (share.name, share.weight) for row in rows)


def available(deployment: observed.Json | None) -> bool:
    return bool(int(((deployment or {}).get("status") or {}).get("availableReplicas") or 0))


def share_verdict(serving: observed.Serving, share: Share) -> Verdict:
    """Whether the share is in effect: by its pods, by KServe's word on the route, and by a checked prediction."""
    if _candidate(serving) == share.version:
        ready = _share_ready(serving.service, share)
        if serving.canary_proven == share.version and routed(serving.service, share) and ready:
            return Verdict(live=True, rolled_out=True)
        reason = "ProbeFailed" if serving.canary_error else "Deploying"
        return Verdict(rolled_out=True, trouble=serving.canary_error, reason=reason)
    return _by_pods(serving.troubles, share.version) or _without_pods(serving.canary, share.version) or Verdict()


def _share_ready(service: observed.Json | None, share: Share) -> bool:
    """KServe's word on the pods of the share."""
    if knative.share(service) is not None:
        return knative.newest_ready(service)
    rows = ((service or {}).get("status") or {}).get("canaryStatuses") or ()
    return any(row.get("name") == share.name and row.get("ready") for row in rows)


def came_up(serving: observed.Serving, version: str) -> bool:
    """In Knative mode: whether the newest revision carries that version and is ready."""
    return _candidate(serving) == version and knative.newest_ready(serving.service)


def _candidate(serving: observed.Serving) -> str | None:
    """The version of which all pods of the share are, and available."""
    return _settled(serving.canary) if _of_this_turn(serving.service, serving.canary) else None


def deployed_since(service: observed.Json | None, version: str) -> datetime | None:
    """When the InferenceService was last made to ask for ``version``, by the record of our last apply."""
    share = share_of(service)
    if service is None or version not in (carried_version(service), share.version if share else None):
        return None
    metadata = service.get("metadata") or {}
    return times.parse((ownership.record(metadata) or {}).get("time") or metadata.get("creationTimestamp"))


def template_version(deployment: observed.Json | None) -> str | None:
    """The version whose pods the Deployment makes."""
    template = (((deployment or {}).get("spec") or {}).get("template") or {}).get("metadata") or {}
    label = (template.get("labels") or {}).get(naming.LABEL_VERSION)
    return str(label) if label else None


def _of_this_turn(service: observed.Json | None, deployment: observed.Json | None) -> bool:
    """Whether the revision that KServe names is of this turn of the predictor; in Standard mode there are no turns."""
    template = ((deployment or {}).get("spec") or {}).get("template") or {}
    return not knative.reported(service) or knative.turn(template) == knative.turn(service)


def rolled_out(service: observed.Json | None, deployment: observed.Json | None) -> str | None:
    """The version whose pods are all of the pods, by the Deployment; None while a roll is under way."""
    if service is None or deployment is None:
        return None
    version = carried_version(service)
    sharing = knative.share(service) is not None
    if knative.reported(service):
        whole = not _down(deployment) if sharing else knative.settled(service) and _of_this_turn(service, deployment)
        settled = template_version(deployment) if whole else None
    else:
        settled = _settled(deployment)
    if version is None or settled != version:
        return None
    conditions = {c.get("type"): c.get("status") for c in (service.get("status") or {}).get("conditions") or []}
    # A revision that does not come up makes the whole predictor not ready, beside one that answers.
    wanted = ("IngressReady",) if sharing else ("PredictorReady", "IngressReady")
    return version if all(conditions.get(kind) == "True" for kind in wanted) else None


def _down(deployment: observed.Json) -> bool:
    """Whether it has pods, and none of them answers. Without pods it sleeps."""
    return bool(int((deployment.get("status") or {}).get("replicas") or 0)) and not available(deployment)


def _settled(deployment: observed.Json | None) -> str | None:
    """The version of which all of the Deployment's pods are, and available; None while there are others."""
    if deployment is None:
        return None
    status, metadata = deployment.get("status") or {}, deployment.get("metadata") or {}
    replicas = int(status.get("replicas") or 0)
    counts = {int(status.get(name) or 0) for name in ("updatedReplicas", "availableReplicas")}
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    return template_version(deployment) if seen and replicas >= 1 and counts == {replicas} else None


def rolling(serving: observed.Serving) -> bool:
    """Whether pods of the present template are still to come: not whether those that are there are well."""
    if serving.service is None or serving.deployment is None:
        return False
    if knative.reported(serving.service):
        return knative.share(serving.service) is None and not knative.settled(serving.service)
    status, metadata = serving.deployment.get("status") or {}, serving.deployment.get("metadata") or {}
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    return not seen or int(status.get("updatedReplicas") or 0) != int(status.get("replicas") or 0)


def verdict(serving: observed.Serving, version: str) -> Verdict:
    """What the observations say about ``version``."""
    if rolled_out(serving.service, serving.deployment) == version:
        if serving.proven == version:
            return Verdict(live=True, rolled_out=True)
        return Verdict(
            rolled_out=True, trouble=serving.probe_error, reason="ProbeFailed" if serving.probe_error else "Deploying"
        )
    found = _by_pods(serving.troubles, version) or _without_pods(serving.deployment, version)
    return found or _by_kserve(serving, version)


def _by_pods(troubles: Sequence[observed.PodTrouble], version: str) -> Verdict | None:
    trouble = next((item for item in troubles if item.version == version), None)
    if trouble is None:
        return None
    text = f"pod {trouble.pod}: {trouble.reason}: {trouble.message}".rstrip(": ")
    return Verdict(trouble=text, reason=trouble.reason)


def _without_pods(deployment: observed.Json | None, version: str) -> Verdict | None:
    """Why there is no pod that could say what is wrong: quotas and admission webhooks refuse it before it exists."""
    if template_version(deployment) != version:
        return None
    for row in ((deployment or {}).get("status") or {}).get("conditions") or []:
        if row.get("type") == "ReplicaFailure" and row.get("status") == "True":
            reason = str(row.get("reason") or "ReplicaFailure")
            return Verdict(trouble=f"no pod can be created: {row.get('message') or reason}", reason=reason)
    return None


def _by_kserve(serving: observed.Serving, version: str) -> Verdict:
    """KServe's own complaint, where it is about this version: a verdict may be left over from the one before."""
    status = (serving.service or {}).get("status") or {}
    model_status = status.get("modelStatus") or {}
    if carried_version(serving.service) == version and model_status.get("transitionStatus") == "InvalidSpec":
        info = model_status.get("lastFailureInfo") or {}
        return Verdict(
            trouble=str(info.get("message") or "KServe refuses the spec"),
            reason=str(info.get("reason") or "InvalidSpec"),
        )
    return Verdict()


def answering(serving: observed.Serving, reported: str | None) -> str | None:
    """The version that answers now: the proven one, or while a roll is under way the one before it.

    That is so while pods of it are ready, or when it was met where the new one was looked for.
    """
    if serving.proven is not None and rolled_out(serving.service, serving.deployment) == serving.proven:
        return serving.proven
    if reported in serving.ready_versions or (reported is not None and reported == serving.answered):
        return reported
    return None


def told(verdict: Verdict, serving: observed.Serving, answering: str | None) -> Verdict:
    """The verdict as people should read it: that the version before still answers is no trouble in a roll."""
    if serving.answered is None or serving.answered != answering:
        return verdict
    return replace(verdict, trouble=None, reason="Deploying")


def url(service: observed.Json | None) -> str | None:
    value = ((service or {}).get("status") or {}).get("url")
    return str(value) if value else None


def address(service: observed.Json | None) -> str | None:
    value = (((service or {}).get("status") or {}).get("address") or {}).get("url")
    return str(value) if value else None
