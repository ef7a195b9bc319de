"""What the operator sees of a world: the twin of ``runtime/observer.py``, with the core's own questions.

Invariant: what no question asks for is not seen; a prediction that is checked is remembered, as the ledger does it.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from model_check import revisions, specs
from model_check import world as worlds
from model_check.world import LONG_AGO, NOW, Deployment, Memory, Run, Service, Version, World
from sklearn_operator.core import inquiry, naming, observed, ownership, serving, times
from sklearn_operator.core.settings import Settings

KEY = observed.ModelKey("default", worlds.NAME)
SETTINGS = Settings(standard_canary=True, knative=True)
SILENT = "the pipeline server does not answer"
_BEGAN = NOW - timedelta(seconds=60)


def observe(world: World) -> tuple[observed.Observed, World]:
    """The picture, and the world in which the operator remembers what it has checked."""
    assert world.model is not None
    model = _model(world.model)
    versions = tuple(_version(one) for one in world.versions)
    service = _service(world.service) if world.service is not None else None
    stable, share = _of_service(world, service)
    memory = _trusting(world, service, stable)
    asked = _questions(world._replace(memory=memory), model, versions, service, stable, share)
    memory, error = _probed(world, memory, stable, _reached(world)) if asked.probe is not None else (memory, None)
    candidate_error = None
    if asked.share is not None and asked.share.probe is not None and share is not None and share.pods == "ready":
        memory, candidate_error = _probed(world, memory, share)
    met = sorted(_reached(world) or ()) if error is not None and not world.silent else []
    after = world._replace(memory=memory)
    seen = observed.Serving(
        service=service,
        deployment=_deployment(stable),
        ready_versions=ready_versions(world) if asked.pods else (),
        troubles=_troubles(world) if asked.pods else (),
        proven=_proven(memory, service, stable),
        probe_error=error,
        answered=met[0] if met else None,
        canary=_deployment(share),
        canary_proven=_known(memory, share),
        canary_error=candidate_error,
        traffic=_traffic(world, asked.share) if asked.share is not None else {},
    )
    picture = observed.Observed(
        model=model,
        versions=versions,
        serving=seen,
        unsubmitted=frozenset((worlds.uid_of(number), attempt) for number, attempt in memory.unsubmitted),
        submitted_at={one.name: NOW if one.number in world.settling else LONG_AGO for one in world.versions},
        ending_since={Run(n, a, "").id: LONG_AGO if long else NOW for n, a, long in memory.ending},
    )
    return _with_answers(picture, world, asked), after


def _with_answers(picture: observed.Observed, world: World, asked: inquiry.Questions) -> observed.Observed:
    if world.silent:
        about = [one.version for one in asked.runs] + [one.version for one in asked.cleanups]
        unanswered = dict.fromkeys(about, SILENT)
        return replace(picture, unanswered=unanswered)
    left = {one.version: _remains(world, one) for one in asked.cleanups}
    return replace(
        picture,
        attempts={one.version: _attempt(world, one) for one in asked.runs},
        runs_left={name: runs for name, (runs, _, _) in left.items()},
        pods_left={name: pods for name, (_, pods, _) in left.items()},
        objects_left={name: count for name, (_, _, count) in left.items()},
    )


def ready_versions(world: World) -> tuple[str, ...]:
    ready = {one.version for one in world.deployments if one.pods == "ready"}
    return tuple(sorted(ready | {one.old for one in world.deployments if one.old}))


def _questions(
    world: World, model: Any, versions: Any, service: Any, stable: Deployment | None, share: Deployment | None
) -> inquiry.Questions:
    memory = world.memory
    proven, known = _proven(memory, service, stable), _known(memory, share)
    return inquiry.questions(model, versions, service, _deployment(stable), proven, SETTINGS, canary_proven=known)


def _of_service(world: World, service: Any) -> tuple[Deployment | None, Deployment | None]:
    by_name = {one.name: one for one in world.deployments}
    stable = by_name.get(serving.deployment_name(service, worlds.NAME))
    return stable, by_name.get(serving.canary_deployment_name(service, worlds.NAME) or "")


@functools.cache
def _model(model: worlds.Model) -> observed.Model:
    asked = {naming.ANNOTATION_RETRAIN: model.retrain, naming.ANNOTATION_APPROVE: model.approve}
    return observed.Model(
        key=KEY,
        uid=worlds.UID,
        generation=2,
        resource_version="1",
        spec=specs.raw(model.spec),
        status=worlds.read(model.status),
        annotations={name: value for name, value in asked.items() if value},
        finalizers=(naming.FINALIZER,) if model.finalizer else (),
        deleting=model.deleting,
    )


@functools.cache
def _version(version: Version) -> observed.Version:
    return observed.Version(
        name=version.name,
        uid=version.uid,
        number=version.number,
        training_hash=version.hash,
        trigger_type=version.trigger[0],
        trigger_key=version.trigger[1],
        created_at=LONG_AGO,
        training=worlds.read(version.training),
        status=worlds.read(version.status),
        deleting=version.leaving,
        finalizers=(naming.FINALIZER,),
        resource_version="1",
        retrain=version.retrain,
    )


_STATES = {"stuck": "CANCELING", "ending": "CANCELING", "unproductive": "SUCCEEDED", "late": "RUNNING"}


def _run(run: Run, name: str) -> observed.Run:
    state = observed.RunState(_STATES.get(run.state, run.state.upper()))
    began: datetime = LONG_AGO if run.state == "late" else _BEGAN
    ended = {"succeeded": NOW, "failed": NOW, "unproductive": LONG_AGO}.get(run.state)
    return observed.Run(run.id, name, state, began, ended)


def _attempt(world: World, question: inquiry.RunQuestion) -> observed.Attempt:
    number = naming.number(worlds.NAME, question.version)
    run = world.run(number, question.attempt)
    run = run if run is not None and run.seen else None
    found = {one.what for one in world.things if (one.version, one.attempt) == (number, question.attempt)}
    seen = _run(run, question.display_name) if run is not None else None
    if run is not None and not run.over:
        return observed.Attempt(seen, observed.Outcome(failure=_failure(found)))
    return observed.Attempt(seen, observed.Outcome(_result(found, question.uri), _failure(found)))


def _result(found: set[str], uri: str) -> dict[str, Any] | None:
    if not found & {"good", "bad"}:
        return None
    return {
        "artifact": {"uri": uri, "sha256": "ab" * 32, "size": 1},
        "lineage": {},
        "headline": "accuracy",
        "metrics": {"accuracy": 0.97 if "good" in found else 0.5},
    }


def _failure(found: set[str]) -> dict[str, Any] | None:
    if not found & {"failure", "hopeless"}:
        return None
    return {"step": "train", "reason": "Broken", "message": "broken", "permanent": "hopeless" in found}


def _remains(world: World, question: inquiry.CleanupQuestion) -> tuple[tuple[observed.Run, ...], tuple[str, ...], int]:
    number = naming.number(worlds.NAME, question.version)
    names = {one.run_id: one.display_name for one in question.runs}
    mine = [one for one in world.runs if one.version == number]
    runs = tuple(_run(one, names[one.id]) for one in mine if one.seen and one.id in names)
    pods = tuple(f"pod-{one.attempt}" for one in mine if one.pods and one.state != "sent")
    things = sum(one.version == number for one in world.things) if question.objects and not runs and not pods else 0
    return runs, pods, things


@functools.cache
def _service(service: Service) -> dict[str, Any]:
    applied = worlds.read(service.manifest)
    spec = applied["spec"]
    if service.edited:
        spec = spec | {"predictor": spec["predictor"] | {"minReplicas": 7}}
    ours = {"manager": naming.FIELD_MANAGER, "operation": "Apply", "fieldsV1": _fields({"spec": applied["spec"]})}
    moment = NOW if service.fresh else LONG_AGO
    metadata = applied["metadata"] | {"uid": "s", "resourceVersion": "1"}
    metadata["managedFields"] = [ours | {"time": times.text(moment)}]
    assert ownership.record(metadata) is not None
    leaving = {"deletionTimestamp": times.text(NOW)} if service.leaving else {}
    return {"metadata": metadata | leaving, "spec": spec, "status": _status(service)}


def _fields(value: Any) -> dict[str, Any]:
    """As the API server records what an apply set: fields by name, items of a list by theirs."""
    if isinstance(value, dict):
        return {f"f:{name}": _fields(item) for name, item in value.items()}
    if isinstance(value, list) and value and all("name" in item for item in value):
        return {f"k:{worlds.written({'name': item['name']})}": _fields(item) for item in value}
    return {}


def _status(service: Service) -> dict[str, Any]:
    if service.component is not None:
        return revisions.status(service.component)
    if service.said is None:
        return {}
    states = {"PredictorReady": service.said.ready, "IngressReady": True, "Ready": service.said.ready}
    status: dict[str, Any] = {
        "url": "http://digits.example",
        "address": {"url": "http://digits.local"},
        "conditions": [{"type": kind, "status": str(state)} for kind, state in states.items()],
    }
    if service.said.candidate is not None:
        name, ready, weight = service.said.candidate
        status["canaryStatuses"] = [{"name": name, "ready": ready, "trafficPercent": weight}]
    return status


@functools.cache
def _deployment(one: Deployment | None) -> dict[str, Any] | None:
    if one is None:
        return None
    old = int(bool(one.old))
    counts = {
        "idle": {"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0},
        "unseen": {"replicas": old, "updatedReplicas": old, "availableReplicas": old},
        "ready": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    }.get(one.pods, {"replicas": 1 + old, "updatedReplicas": 1, "availableReplicas": old})
    about = {"labels": {naming.LABEL_VERSION: one.version}, "annotations": revisions.annotations(one.template)}
    return {
        "metadata": {"uid": one.name, "generation": 2},
        "spec": {"template": {"metadata": about, "spec": one.template}},
        "status": {**counts, "observedGeneration": 1 if one.pods == "unseen" else 2},
    }


def _troubles(world: World) -> tuple[observed.PodTrouble, ...]:
    crashed = [one for one in world.deployments if one.pods == "crashed"]
    return tuple(observed.PodTrouble("pod", "CrashLoopBackOff", "boom", NOW, one.version) for one in crashed)


def _traffic(world: World, question: inquiry.ShareQuestion) -> dict[str, observed.Traffic]:
    failed = 50 if world.illness(question.version) == "errs" else 0
    return {question.version: observed.Traffic(100, failed, 0), question.stable: observed.Traffic(100, 0, 0)}


def _trusting(world: World, service: Any, stable: Deployment | None) -> Memory:
    """A process that begins believes what the one before it reported."""
    rolled = serving.rolled_out(service, _deployment(stable))
    assert world.model is not None
    reported = worlds.read(world.model.status).get("servingVersion")
    if world.memory.proven is None and stable is not None and rolled is not None and reported == rolled:
        return _remember(world.memory, stable)
    return world.memory


def _reached(world: World) -> frozenset[str] | None:
    """In Knative mode, who answers at the model's address if asked often enough; elsewhere the stable version does."""
    service = world.service
    if service is None or service.component is None:
        return None
    return frozenset(version for version, _ in revisions.requests(world, service)) & {*ready_versions(world)}


def _probed(
    world: World, memory: Memory, asked: Deployment | None, reached: frozenset[str] | None = None
) -> tuple[Memory, str | None]:
    if world.silent:
        return memory, SILENT
    assert asked is not None
    if reached is not None and asked.version not in reached:
        return memory, "it does not answer"
    if world.illness(asked.version) == "wrong":
        return memory, "it answers something else"
    return _remember(memory, asked), None


def _remember(memory: Memory, proved: Deployment) -> Memory:
    others = [known for known in memory.proven or () if known[0] != proved.name]
    return memory._replace(proven=(*others[-1:], (proved.name, proved.template, proved.version)))


def _proven(memory: Memory, service: Any, stable: Deployment | None) -> str | None:
    rolled = serving.rolled_out(service, _deployment(stable))
    return rolled if rolled is not None and _known(memory, stable) == rolled else None


def _known(memory: Memory, one: Deployment | None) -> str | None:
    entries = {name: (template, version) for name, template, version in memory.proven or ()}
    template, version = entries.get(one.name, ("", "")) if one is not None else ("", "")
    return version if one is not None and template == one.template and version else None
