"""What has to hold: in every state, of every plan, and once nothing moves any more.

Invariant: the rules know the manifest, what versions have recorded, and what really runs; they are written from the
documentation and share no code with the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from model_check import revisions, sight, specs, surroundings
from model_check import world as worlds
from model_check.world import Model, Version, World
from sklearn_operator.core import actions, observed
from sklearn_operator.core.plan import Plan

_ENDED = {"Succeeded": "good", "Rejected": "good", "Failed": "failed", "Canceled": "failed"}


def of_state(world: World) -> Iterator[str]:
    """Told of any state, however it came about."""
    if world.versions and world.model is not None and not world.model.finalizer:
        yield "there are versions, and the model may go without them"
    service = world.service
    if service is None:
        return
    carried, revision = surroundings.carried(service.manifest), revisions.wanted(service.manifest)
    if len(carried) > 2 or (revision is None and len(set(carried)) != len(carried)):
        yield f"the InferenceService asks for {carried}: one version, and one candidate, are all there may be"
    if service.leaving:
        return
    if world.model is not None and not world.model.deleting:
        gone = [name for name in carried if (version := world.version(name)) is None or version.leaving]
        if gone:
            yield f"the InferenceService asks for {gone[0]}, which is deleted"
    route = service.route
    if route is not None and route.weight < 100 and world.deployment(route.stable) is None:
        yield f"requests go to {route.stable}, which is gone"
    most = dict(world.given)
    for name, percent in revisions.requests(world, service):
        version = world.version(name)
        if version is None:
            yield f"requests go to {name or 'a revision'}, which is gone"
        elif percent > most.get(version.number, 0):
            yield f"{percent} % of the requests go to {name}, which was given {most.get(version.number, 0)} %"


def of_plan(world: World, seen: observed.Observed, plan: Plan) -> Iterator[str]:
    """Told of what is about to be done and said."""
    assert world.model is not None
    recorded = {one.name: worlds.read(one.status) for one in world.versions}
    asked = {*surroundings.carried(world.service.manifest)} if world.service is not None else set()
    for action in plan.actions:
        match action:
            case actions.ReportVersion():
                before, after = recorded[action.version].get("phase"), action.status.get("phase")
                if before in _ENDED and _ENDED[before] != _ENDED.get(str(after)):
                    yield f"{action.version} was {before} and becomes {after}"
                recorded[action.version] = dict(action.status)
            case actions.ApplyInferenceService():
                yield from _carried(world, world.model, action, recorded)
                yield from _stepped(world, world.model, action, recorded)
                yield from _shared(world, action)
                asked = set(_labels(action))
            case actions.DeleteVersion() if not world.model.deleting:
                if action.name in {*asked, _answering(world), specs.pinned(world.model.spec)}:
                    yield f"{action.name} is deleted, and it is needed"
                if action.name == world.versions[-1].name:
                    yield f"{action.name} is deleted, and it is the newest"
                if recorded[action.name].get("phase") not in _ENDED:
                    yield f"{action.name} is deleted, and it has not ended"
    told = any(isinstance(action, actions.Announce) for action in plan.actions)
    if told and plan.status is None and all(isinstance(action, actions.Announce) for action in plan.actions):
        yield "something is announced and nothing recorded, so that it is announced again with every look"
    said = (plan.status or {}).get("servingVersion")
    up = {one.version for one in world.deployments if one.up}  # a revision that was ready may have no pod
    if said is not None and said not in {*sight.ready_versions(world), *up}:
        yield f"the status says that {said} answers, and no pod of it is ready"
    if plan.status is not None and not world.model.deleting:
        yield from _told(seen.model, plan.status)


def _told(model: observed.Model, status: observed.Json) -> Iterator[str]:
    """The conditions are a row of the state table, so that kstatus and Argo CD have a word for it."""
    rows = {row["type"]: row["status"] for row in status["conditions"]}
    told = {kind for kind in ("Ready", "Reconciling", "Stalled", "AwaitingApproval") if rows.get(kind) == "True"}
    if {"Reconciling", "Stalled"} <= told:
        yield "the status says that work goes on and that a person is needed"
    if not told and not model.spec.get("suspend"):
        yield "the status says neither what there is nor what to wait for"


def _carried(
    world: World, model: Model, action: actions.ApplyInferenceService, recorded: dict[str, Any]
) -> Iterator[str]:
    for name in _labels(action):
        version, status = world.version(name), recorded.get(name) or {}
        if version is None or version.leaving:
            yield f"{name} is to serve, and it is deleted"
        elif not any(one.version == version.number and one.what in ("good", "bad") for one in world.things):
            yield f"{name} is to serve, and it has no artifact"
        elif not status.get("servedAt") and (why := _unfit(world, model, version, status)):
            yield f"{name} never served and is to serve, and {why}"


def _unfit(world: World, model: Model, version: Version, status: dict[str, Any]) -> str | None:
    words = model.spec.split()
    bad = any(one.version == version.number and one.what == "bad" for one in world.things)
    if status.get("phase") != "Succeeded":
        return f"it is {status.get('phase')}"
    if bad and "ungated" not in words and version.hash == specs.training_hash(model.spec):
        return "a gate rejects it"
    told = {row["type"]: row["status"] for row in status.get("conditions") or ()}
    let = told.get("AwaitingApproval") == "False" or version.name in (model.approve, specs.pinned(model.spec))
    return "nobody approved it" if "manual" in words and not let else None


def _stepped(
    world: World, model: Model, action: actions.ApplyInferenceService, recorded: dict[str, Any]
) -> Iterator[str]:
    """Where steps are asked for, a version that never served gets everything before it is all there is."""
    service, taking = world.service, _labels(action)[0]
    if service is None or "steps" not in model.spec.split() or recorded[taking].get("servedAt"):
        return
    stable = surroundings.carried(service.manifest)[0]
    known = worlds.read(model.status).get("servingVersion") == _answering(world) == stable
    if taking != stable and known and surroundings.share(service) != (taking, 100):
        yield f"{taking} takes over from {stable}, and its steps are not over"


def _shared(world: World, action: actions.ApplyInferenceService) -> Iterator[str]:
    """In Knative mode a share goes to whichever revision was ready last."""
    asked, ready = revisions.wanted(worlds.written(action.manifest)), revisions.newest_ready(world)
    if asked is not None and asked.percent and ready is not None and ready.version != asked.version:
        yield f"{asked.version} is given {asked.percent} % before it is ready, and {ready.version} would get them"


def _labels(action: actions.ApplyInferenceService) -> tuple[str, ...]:
    return surroundings.carried(worlds.written(action.manifest))


def of_rest(world: World) -> Iterator[str]:
    """Told of a state in which nothing moves any more."""
    if world.model is None:
        if any((world.versions, world.runs, world.things, world.service, world.deployments)):
            yield "the model is gone, and something is left of it"
        return
    if world.model.deleting:
        yield "the model is never gone"
        return
    yield from _status(world, world.model, worlds.read(world.model.status))


def _status(world: World, model: Model, status: dict[str, Any]) -> Iterator[str]:
    words, phase = model.spec.split(), status.get("phase")
    if status.get("observedGeneration") != 2:
        yield "the status is of a former generation"
    answering = _answering(world)
    if "unserved" not in words and status.get("servingVersion") != answering:
        yield f"{answering} answers, and the status says {status.get('servingVersion')}"
    if "unserved" in words and "wrong" not in words and world.service is not None:
        yield "nothing is to be served, and there is an InferenceService"
    reasons: dict[str, Callable[[], str | None]] = {
        "Ready": lambda: _not_ready(world, model, answering),
        "Degraded": lambda: None if _degraded(world, model, answering) else "nobody answers",
        "Failed": lambda: "somebody answers" if answering is not None and "unserved" not in words else None,
        "Suspended": lambda: None if "suspend" in words else "nobody suspended it",
        "AwaitingApproval": lambda: None if _waiting(world, model) else "no version waits",
    }
    wrong = reasons[str(phase)]() if phase in reasons else "that does not last"
    if wrong:
        yield f"the phase stays {phase}, and {wrong}"
    if phase in ("Degraded", "Failed") and not _hindered(world, model):
        yield f"the phase stays {phase}, and nothing is in the way"
    if "wrong" not in words and "suspend" not in words:
        yield from _trained(world, model)
        yield from _hopeless(world, model)
        yield from _bounded(world, model, status)


def _answering(world: World) -> str | None:
    """Whose pods answer; those that stay of a version that never proved itself do not count."""
    service = world.service
    if service is not None and (asked := revisions.wanted(service.manifest)) is not None:
        found = revisions.answering(world, service)
        counts = found is not None and (
            found.version in revisions.carried(asked) or _proved(world.version(found.version))
        )
        return found.version if found is not None and counts and world.illness(found.version) != "wrong" else None
    stable = world.deployment(surroundings.wanted(service)[0].name) if service is not None else None
    if stable is None or service is None or service.route is None:
        return None
    proved = _proved(world.version(stable.old))
    name = stable.version if stable.pods == "ready" else stable.old if proved else None
    return name if name and world.illness(name) != "wrong" else None


def _proved(version: Version | None) -> bool:
    return version is not None and bool(worlds.read(version.status).get("servedAt"))


def _not_ready(world: World, model: Model, answering: str | None) -> str | None:
    chosen = _chosen(world, model)
    if "unserved" in model.spec.split():
        return None if chosen else "no version is good"
    if answering != chosen:
        return f"{answering} answers where {chosen} should"
    service = world.service
    return "there is a candidate" if service is not None and surroundings.share(service) else None


def _good(world: World) -> list[Version]:
    return [one for one in world.versions if not one.leaving and worlds.read(one.status).get("phase") == "Succeeded"]


def _chosen(world: World, model: Model) -> str | None:
    """The pinned version, else the newest good one of the manifest, else of all; but none that was given up."""
    if (pinned := specs.pinned(model.spec)) is not None and world.version(pinned) is not None:
        return pinned
    there = [one for one in _good(world) if not _given_up(one, model)]
    same = [one for one in there if one.hash == specs.training_hash(model.spec)]
    served = [one for one in world.versions if worlds.read(one.status).get("phase") == "Rejected"]
    kept = [one for one in served if worlds.read(one.status).get("servedAt") and one.name == _answering(world)]
    return max(same or kept or there, key=lambda one: one.number).name if same or kept or there else None


def _given_up(version: Version, model: Model) -> bool:
    return (worlds.read(version.status).get("rolledBack") or {}).get("serving") == specs.serving_hash(model.spec)


def _waiting(world: World, model: Model) -> bool:
    unserved = [one for one in _good(world) if not worlds.read(one.status).get("servedAt")]
    return "manual" in model.spec.split() and any(one.name != model.approve for one in unserved)


def _degraded(world: World, model: Model, answering: str | None) -> bool:
    """Somebody answers, but not as asked for; or what came up once and fell ill is tried for ever."""
    ill = any(one.pods == "crashed" or world.illness(one.version) == "wrong" for one in world.deployments)
    return answering is not None or "unserved" in model.spec.split() or ill


def _hindered(world: World, model: Model) -> bool:
    """Whether a person is needed: for the manifest, a training, a gate, a pin, or a version that does not come up."""
    pinned = specs.pinned(model.spec)
    ended = {worlds.read(one.status).get("phase") for one in world.versions}
    return (
        "wrong" in model.spec.split()
        or bool(ended & {"Failed", "Rejected"})
        or (pinned is not None and pinned not in {one.name for one in _good(world)})
        or any(_given_up(one, model) for one in world.versions)
        or world.sick
        or bool(world.ill)
    )


def _trained(world: World, model: Model) -> Iterator[str]:
    same = [one for one in world.versions if one.hash == specs.training_hash(model.spec) and not one.leaving]
    if not same:
        yield "no version is trained for the manifest"
    for one in world.versions:
        if not worlds.finished(one.status):
            yield f"{one.name} never ends"
    request = model.retrain
    handled = worlds.read(model.status).get("retrainHandled") == request
    if request is not None and not handled and not any(one.retrain == request for one in world.versions):
        yield f"the request {request} is not answered"


def _hopeless(world: World, model: Model) -> Iterator[str]:
    """What did not come up in time gives way to what served before."""
    asked = surroundings.carried(world.service.manifest) if world.service is not None else ()
    served = [one.name for one in _good(world) if worlds.read(one.status).get("servedAt") and not _given_up(one, model)]
    for one in _good(world):
        waiting = one.name in asked and not worlds.read(one.status).get("servedAt")
        if waiting and served and specs.pinned(model.spec) != one.name:
            yield f"{one.name} never came up, and {served[-1]} is not put back"


def _bounded(world: World, model: Model, status: dict[str, Any]) -> Iterator[str]:
    """Beyond the limit only what is needed stays, and the newest of what served, to go back to."""
    limit = 1 if "short" in model.spec.split() else 2
    needed = {status.get("servingVersion"), status.get("candidateVersion"), specs.pinned(model.spec)}
    if world.service is not None:
        needed |= {*surroundings.carried(world.service.manifest)}
    served = [one for one in world.versions if worlds.read(one.status).get("servedAt")]
    needed |= {one.name for one in (*served[-1:], *world.versions[-1:])} | {*sight.ready_versions(world)}
    removable = [one.name for one in world.versions if one.name not in needed]
    if len(world.versions) > limit and removable:
        yield f"{len(world.versions)} versions are kept where {limit} is the limit, {removable[0]} for nothing"
