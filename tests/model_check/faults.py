"""What users do and what goes wrong: the events of which a walk has only a few.

Invariant: an event is something that really happens to an operator; none of them breaks a promise that an outside
system gives and that the operator may rely on.
"""

from __future__ import annotations

from collections.abc import Iterator

from model_check import acting, specs
from model_check import world as worlds
from model_check.surroundings import Step
from model_check.world import Model, Thing, World

Menu = frozenset[str]


def events(world: World, menu: Menu) -> Iterator[Step]:
    """Everything on the menu that can happen now. Words of manifests are on it as they are."""
    if world.model is not None and not world.model.deleting:
        yield from _edits(world, world.model, menu)
    if "die" in menu and world.memory != worlds.Memory():
        yield Step("the operator dies", acting.reborn(world))
    if "silence" in menu and not world.silent:
        yield Step("the pipeline server falls silent", world._replace(silent=True))
    yield from _runs(world, menu)
    yield from _pods(world, menu)
    yield from _service(world, menu)


def _edits(world: World, model: Model, menu: Menu) -> Iterator[Step]:
    first, *words = model.spec.split()
    for word in sorted(menu & {"A", "B", "wrong"} - {first}):
        yield Step(f"a user changes the model to {word}", _edited(world, model, specs.retrained(model.spec, word)))
    for word in sorted(menu & specs.ADDED):
        pinned_otherwise = specs.is_pin(word) and any(specs.is_pin(one) and one != word for one in words)
        if not pinned_otherwise:
            verb = "takes away" if word in words else "adds"
            yield Step(f"a user {verb} {word}", _edited(world, model, specs.toggled(model.spec, word)))
    if "retrain" in menu:
        request = f"r{int((model.retrain or 'r0')[1:]) + 1}"
        yield Step("a user asks for a training", world._replace(model=model._replace(retrain=request)))
    newest = next((one.name for one in reversed(world.versions) if worlds.finished(one.status)), None)
    if "approve" in menu and newest is not None and model.approve != newest:
        yield Step(f"a user approves {newest}", world._replace(model=model._replace(approve=newest)))
    if "delete" in menu:
        yield Step("a user deletes the model", world._replace(model=_deleted(model)))


def _edited(world: World, model: Model, spec: str) -> World:
    """With it the status becomes one of a former generation."""
    status = model.status.replace('"observedGeneration": 2', '"observedGeneration": 1')
    return world._replace(model=model._replace(spec=specs.canonical(spec), status=status))


def _deleted(model: Model) -> Model | None:
    return model._replace(deleting=True) if model.finalizer else None


def _runs(world: World, menu: Menu) -> Iterator[Step]:
    for run in world.runs:
        who, known = f"the run of v{run.version}/{run.attempt}", run.state in ("running", "late")
        if known and "bad" in menu:
            after = worlds.with_run(world, run._replace(state="succeeded", pods=False))
            thing = Thing(run.version, run.attempt, "bad")
            yield Step(f"{who} makes a bad model", worlds.with_thing(after, thing))
        for what in sorted({"failure", "hopeless"} & menu) if known else ():
            after = worlds.with_thing(world, Thing(run.version, run.attempt, what))
            state = "failed" if what == "failure" else run.state
            yield Step(f"{who} leaves a {what}", worlds.with_run(after, run._replace(state=state)))
        changes = {
            "kill": ("is killed", known, "failed"),
            "late": ("takes long", run.state == "running", "late"),
            "stuck": ("does not end", run.state == "ending", "stuck"),
            "vanish": ("is deleted by somebody", run.seen, "deleted"),
            "empty": ("succeeds with nothing", known, "succeeded"),
        }
        for word, (does, possible, state) in changes.items():
            if word in menu and possible:
                yield Step(f"{who} {does}", _becomes(world, run, state))
        if "write" in menu:
            yield from _writes(world, run)


def _writes(world: World, run: worlds.Run) -> Iterator[Step]:
    """A run is over for the pipeline server before its tasks are."""
    junk = Thing(run.version, run.attempt, "junk")
    if run.pods and run.state in ("failed", "deleted") and junk not in world.things:
        yield Step(f"a task of the run of v{run.version}/{run.attempt} writes late", worlds.with_thing(world, junk))


def _becomes(world: World, run: worlds.Run, state: str) -> World:
    if state == "deleted" and not run.pods:
        return worlds.without_run(world, run)
    return worlds.with_run(world, run._replace(state=state))


def _pods(world: World, menu: Menu) -> Iterator[Step]:
    for one in world.deployments:
        ill = world.illness(one.version)
        for how in sorted({"crash", "wrong", "errs"} & menu) if not ill else ():
            if how == "wrong" and (one.pods != "unseen" or _proved(world, one.version)):
                continue  # what was proved is not asked again
            number = int(one.version.rpartition("-v")[2])
            after = world._replace(ill=tuple(sorted({*world.ill, (number, how)})))
            if how == "crash" and one.pods in ("starting", "ready"):
                after = worlds.with_deployment(after, one._replace(pods="crashed"))
            if how == "crash":
                well = [place._replace(old="") if place.old == one.version else place for place in after.deployments]
                after = after._replace(deployments=tuple(well))
            yield Step(f"{one.version} is ill: {how}", after)
        if "hiccup" in menu and one.pods == "ready":
            yield Step(f"pods of {one.version} restart", worlds.with_deployment(world, one._replace(pods="starting")))
    if "sick" in menu and not world.sick:
        yield Step("no new pod comes up any more", world._replace(sick=True))


def _proved(world: World, name: str) -> bool:
    version = world.version(name)
    return version is not None and bool(worlds.read(version.status).get("servedAt"))


def _service(world: World, menu: Menu) -> Iterator[Step]:
    service = world.service
    if service is None or service.leaving:
        return
    if "remove" in menu:
        gone = world._replace(service=service._replace(leaving=True))
        yield Step("somebody deletes the InferenceService", gone)
    if "meddle" in menu and not service.edited:
        yield Step("somebody edits the InferenceService", world._replace(service=service._replace(edited=True)))
