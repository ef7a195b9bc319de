"""Our own kinds between JSON and the core's plain data.

Invariant: what is read is believed only as far as its shape; an object that cannot be read at all raises Rejected, and
the reconciler says so instead of stumbling.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sklearn_operator.backends import errors
from sklearn_operator.core import actions, naming, observed, serving, times, wording

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def model(raw: Mapping[str, Any]) -> observed.Model:
    """A SklearnModel as the API server gives it."""
    metadata = raw["metadata"]
    return observed.Model(
        key=observed.ModelKey(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=int(metadata.get("generation") or 0),
        resource_version=metadata["resourceVersion"],
        spec=raw.get("spec") or {},
        status=raw.get("status") or {},
        annotations=metadata.get("annotations") or {},
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting="deletionTimestamp" in metadata,
        deleting_since=times.parse(metadata.get("deletionTimestamp")),
    )


def version(raw: Mapping[str, Any]) -> observed.Version:
    """A SklearnModelVersion as the API server gives it."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    trigger = spec.get("trigger") or {}
    try:
        return observed.Version(
            name=metadata["name"],
            uid=metadata["uid"],
            number=int(spec["number"]),
            training_hash=str(spec["trainingHash"]),
            trigger_type=str(trigger.get("type") or "SpecChange"),
            trigger_key=str(trigger.get("key") or ""),
            created_at=times.parse(metadata.get("creationTimestamp")) or _EPOCH,
            training=spec.get("training") or {},
            status=raw.get("status") or {},
            deleting="deletionTimestamp" in metadata,
            finalizers=tuple(metadata.get("finalizers") or ()),
            resource_version=metadata["resourceVersion"],
            retrain=(metadata.get("annotations") or {}).get(naming.ANNOTATION_RETRAIN),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise errors.Rejected(f"SklearnModelVersion {metadata.get('name')} cannot be read: {error!r}") from error


def owner_model(raw: Mapping[str, Any]) -> str | None:
    """Name of the SklearnModel that a child belongs to, by label."""
    labels = (raw.get("metadata") or {}).get("labels") or {}
    name = labels.get(naming.LABEL_MODEL)
    return str(name) if name else None


def owned_by(raw: Mapping[str, Any], uid: str) -> bool:
    """Whether the SklearnModel with that uid is the owner; a label alone can be anybody's."""
    return any(row.get("uid") == uid for row in (raw.get("metadata") or {}).get("ownerReferences") or [])


def new_version(owner: observed.Model, action: actions.CreateVersion) -> dict[str, Any]:
    """The version object to create. Its finalizer is there from the first moment: nothing it starts can be orphaned."""
    return {
        "apiVersion": naming.API_VERSION,
        "kind": "SklearnModelVersion",
        "metadata": {
            "name": action.name,
            "namespace": owner.key.namespace,
            "labels": naming.child_labels(owner.key.name),
            "annotations": {naming.ANNOTATION_RETRAIN: action.retrain} if action.retrain else {},
            "finalizers": [naming.FINALIZER],
            "ownerReferences": [serving.owner(owner)],
        },
        "spec": {
            "model": owner.key.name,
            "number": action.number,
            "trainingHash": action.training_hash,
            "trigger": {"type": action.trigger_type, "key": action.trigger_key},
            "training": dict(action.training),
        },
    }


def event(about: observed.Model, action: actions.Announce, now: datetime) -> dict[str, Any]:
    """An Event on the model, for ``kubectl describe``."""
    digest = naming.digest([about.uid, action.reason, action.key])[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{about.key.name}.{digest}", "namespace": about.key.namespace},
        "regarding": {
            "apiVersion": naming.API_VERSION,
            "kind": "SklearnModel",
            "name": about.key.name,
            "namespace": about.key.namespace,
            "uid": about.uid,
        },
        "type": action.kind,
        "reason": action.reason,
        "note": wording.message(action.message),
        "action": "Reconcile",
        "reportingController": f"{naming.GROUP}/operator",
        "reportingInstance": "sklearn-operator",
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def finalizer_edit(finalizers: tuple[str, ...], *, add: bool) -> list[dict[str, Any]]:
    """A compare-and-set of the finalizers as a JSON patch: it fails when somebody changed the list meanwhile."""
    if add:
        if finalizers:
            return [
                {"op": "test", "path": "/metadata/finalizers", "value": list(finalizers)},
                {"op": "add", "path": "/metadata/finalizers/-", "value": naming.FINALIZER},
            ]
        return [{"op": "add", "path": "/metadata/finalizers", "value": [naming.FINALIZER]}]
    index = finalizers.index(naming.FINALIZER)
    path = f"/metadata/finalizers/{index}"
    return [{"op": "test", "path": path, "value": naming.FINALIZER}, {"op": "remove", "path": path}]


def with_status(raw_kind: str, identity: Mapping[str, str], status: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a status write, fenced by the resource version that the decision was made on."""
    return {
        "apiVersion": naming.API_VERSION,
        "kind": raw_kind,
        "metadata": dict(identity),
        "status": dict(status),
    }


def pod_troubles(pods: list[dict[str, Any]]) -> tuple[observed.PodTrouble, ...]:
    """Reasons that containers give for not running, newest pod first."""
    found = []
    newest_first = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    for pod in newest_first:
        labels = pod["metadata"].get("labels") or {}
        since = times.parse(pod["metadata"].get("creationTimestamp"))
        for reason, message in _reasons(pod):
            name = pod["metadata"]["name"]
            found.append(observed.PodTrouble(name, reason, message, since, labels.get(naming.LABEL_VERSION)))
    return tuple(found)


_PASSING = frozenset({"ContainerCreating", "PodInitializing", "Completed", ""})


def _reasons(pod: Mapping[str, Any]) -> list[tuple[str, str]]:
    status = pod.get("status") or {}
    rows = []
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        last = (container.get("lastState") or {}).get("terminated") or {}
        if str(waiting.get("reason") or "") not in _PASSING:
            detail = str(last.get("message") or waiting.get("message") or "").strip()
            rows.append((str(waiting["reason"]), detail.splitlines()[-1] if detail else ""))
        elif int(ended.get("exitCode") or 0) != 0:
            detail = str(ended.get("message") or "").strip()
            rows.append((str(ended.get("reason") or "Error"), detail.splitlines()[-1] if detail else ""))
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            rows.append(("Unschedulable", str(condition.get("message") or "")))
    return rows


def running_pods(pods: list[dict[str, Any]]) -> tuple[str, ...]:
    """Names of the pods whose containers may still do something."""
    over = ("Succeeded", "Failed")
    return tuple(pod["metadata"]["name"] for pod in pods if (pod.get("status") or {}).get("phase") not in over)


def addresses(pods: list[dict[str, Any]], version: str) -> list[str]:
    """Addresses of the ready pods of a version."""
    found = [(pod.get("status") or {}).get("podIP") for pod in pods if _ready(pod) and _label(pod) == version]
    return [str(address) for address in found if address]


def ready_versions(pods: list[dict[str, Any]]) -> tuple[str, ...]:
    """Version labels of the pods that are ready.

    One on its way out answers what still reaches it; it counts while another is there to take over.
    """
    if not any(map(_ready, pods)):
        return ()
    labels = {_label(pod) for pod in pods if _says_ready(pod)}
    return tuple(sorted(label for label in labels if label))


def _label(pod: dict[str, Any]) -> str | None:
    label = (pod["metadata"].get("labels") or {}).get(naming.LABEL_VERSION)
    return str(label) if label else None


def _ready(pod: dict[str, Any]) -> bool:
    return _says_ready(pod) and "deletionTimestamp" not in pod["metadata"]


def _says_ready(pod: dict[str, Any]) -> bool:
    conditions = {row.get("type"): row.get("status") for row in (pod.get("status") or {}).get("conditions") or []}
    return conditions.get("Ready") == "True"
