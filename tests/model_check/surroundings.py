"""How the world goes on by itself: pipeline server, KServe, kubelet and clock.

Invariant: nothing here is a fault. Each step is one of a system that works, at whatever time it likes; ``silent`` ones
are those that no watch tells the operator of, so it has to look again by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from model_check import revisions
from model_check import world as worlds
from model_check.world import Deployment, Route, Run, Said, Service, Thing, World
from sklearn_operator.core import serving


class Step(NamedTuple):
    label: str
    world: World
    silent: bool = False
    timer: bool = False


class Wanted(NamedTuple):
    """A Deployment as the InferenceService asks for it."""

    name: str
    template: str
    version: str


def steps(world: World) -> Iterator[Step]:
    for run in world.runs:
        yield from _run(world, run)
    if world.service is not None:
        yield from _kserve(world, world.service)
    for deployment in world.deployments:
        yield from _pods(world, deployment)
    if world.silent:
        yield Step("the pipeline server answers again", world._replace(silent=False), silent=True)
    if world.model is None and any(not one.leaving for one in world.versions):
        left = tuple(one._replace(leaving=True) for one in world.versions)
        yield Step("the garbage collector deletes the versions", world._replace(versions=left))
    yield from _time(world)


def _run(world: World, run: Run) -> Iterator[Step]:
    who = f"the run of v{run.version}/{run.attempt}"
    if run.state == "sent":
        yield Step(f"{who} appears", worlds.with_run(world, run._replace(state="running")), silent=True)
    elif run.state in ("running", "late"):
        after = worlds.with_run(world, run._replace(state="succeeded", pods=False))
        yield Step(f"{who} succeeds", worlds.with_thing(after, Thing(run.version, run.attempt, "good")), silent=True)
    elif run.state == "ending":
        yield Step(f"{who} ends", worlds.with_run(world, run._replace(state="failed")), silent=True)
    elif run.pods and run.state == "deleted":
        yield Step(f"the pods of {who} end", worlds.without_run(world, run), silent=True)
    elif run.pods and run.over:
        yield Step(f"the pods of {who} end", worlds.with_run(world, run._replace(pods=False)), silent=True)


def _kserve(world: World, service: Service) -> Iterator[Step]:
    if service.leaving:
        yield Step("the InferenceService goes", world._replace(service=None, deployments=()))
        return
    if (revision := revisions.wanted(service.manifest)) is not None:
        yield from (Step(*step) for step in revisions.steps(world, service, revision))
        return
    asked = wanted(service)
    there = {one.name: one for one in world.deployments}
    if {Wanted(one.name, one.template, one.version) for one in world.deployments} != set(asked):
        deployments = tuple(sorted(_made(one, there.get(one.name)) for one in asked))
        yield Step("KServe writes the Deployments", world._replace(deployments=deployments))
        return
    route, said = _reported(service, there)
    if (route, said) != (service.route, service.said):
        yield Step("KServe routes and reports", world._replace(service=service._replace(route=route, said=said)))


@functools.cache
def _wanted(manifest: str) -> tuple[Wanted, ...]:
    spec = worlds.read(manifest)["spec"]
    predictors = [spec["predictor"], *(one["predictor"] for one in spec.get("canary") or ())]
    return tuple(
        Wanted(
            serving.workload(worlds.NAME, predictor.get("name") or ""),
            worlds.written(predictor["model"]),
            next(iter(predictor["labels"].values())),
        )
        for predictor in predictors
    )


def wanted(service: Service) -> tuple[Wanted, ...]:
    """The stable Deployment first, then the candidate's."""
    return _wanted(service.manifest)


@functools.cache
def carried(manifest: str) -> tuple[str, ...]:
    """The versions that an InferenceService asks for, the stable one first, then the candidate."""
    revision = revisions.wanted(manifest)
    return revisions.carried(revision) if revision is not None else tuple(one.version for one in _wanted(manifest))


def share(service: Service) -> tuple[str, int] | None:
    """Version and weight of the candidate."""
    found = serving.share_of(worlds.read(service.manifest))
    return (found.version, found.weight) if found is not None else None


def _made(asked: Wanted, before: Deployment | None) -> Deployment:
    """A rolling update: ready pods stay until others are."""
    if before is not None and before.template == asked.template:
        return before
    old = "" if before is None else before.version if before.pods == "ready" else before.old
    return Deployment(*asked, old=old)


def _reported(service: Service, there: dict[str, Deployment]) -> tuple[Route, Said]:
    stable, *more = wanted(service)
    up = {name: one.pods == "ready" or bool(one.old) for name, one in there.items()}
    found = serving.share_of(worlds.read(service.manifest))
    if found is None:
        return Route(stable.name), Said(up[stable.name])
    name = more[0].name
    return Route(stable.name, name, found.weight), Said(up[stable.name], (found.name, up[name], found.weight))


def _pods(world: World, one: Deployment) -> Iterator[Step]:
    def becomes(**fields: str) -> World:
        return worlds.with_deployment(world, one._replace(**fields))

    broken = world.sick or world.illness(one.version) == "crash"
    if one.pods == "unseen":
        yield Step(f"pods of {one.version} start", becomes(pods="starting"))
    elif one.pods == "starting" and broken:
        yield Step(f"pods of {one.version} crash", becomes(pods="crashed"), silent=True)
    elif one.pods == "starting" or (one.pods == "crashed" and not broken):
        yield Step(f"pods of {one.version} are ready", becomes(pods="ready", old=""))


def _over(label: str, world: World) -> Step:
    return Step(label, world, silent=True, timer=True)


def _time(world: World) -> Iterator[Step]:
    """Every timer that runs may be over now."""
    for number in world.settling:
        if not any(run.version == number and run.state == "sent" for run in world.runs):
            rest = tuple(one for one in world.settling if one != number)
            yield _over(f"no run of v{number} can appear any more", world._replace(settling=rest))
    for entry in world.memory.ending:
        run = world.run(*entry[:2])
        if run is not None and run.state == "stuck" and not entry[2]:
            ending = (*(one for one in world.memory.ending if one != entry), (*entry[:2], True))
            after = world._replace(memory=world.memory._replace(ending=ending))
            yield _over(f"patience with the run of v{entry[0]}/{entry[1]} is over", after)
    for run in world.runs:
        if run.state == "succeeded" and not any((one.version, one.attempt) == run[:2] for one in world.things):
            after = worlds.with_run(world, run._replace(state="unproductive"))
            yield _over(f"the result of v{run.version}/{run.attempt} is overdue", after)
    yield from _deadlines(world)


def _deadlines(world: World) -> Iterator[Step]:
    service = world.service
    if service is not None and service.fresh and not service.leaving and _late(world, service):
        yield _over("the rollout deadline is over", world._replace(service=service._replace(fresh=False)))
    until = worlds.read(world.model.status).get("rollout", {}).get("nextStepAt") if world.model is not None else None
    if world.model is not None and until not in (None, worlds.OVER):
        model = world.model._replace(status=world.model.status.replace(until, worlds.OVER))
        yield _over("the step is over", world._replace(model=model))


def _late(world: World, service: Service) -> bool:
    """Whether anything of it is still to come."""
    if any(world.illness(one.version) == "wrong" for one in world.deployments):
        return True
    if (revision := revisions.wanted(service.manifest)) is not None:
        return revisions.late(world, service, revision)
    there = {one.name: one for one in world.deployments}
    up = {Wanted(one.name, one.template, one.version) for one in world.deployments if one.pods == "ready"}
    return up != set(wanted(service)) or (service.route, service.said) != _reported(service, there)
