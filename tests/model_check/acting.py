"""What becomes of a world when a plan is carried out: the twin of ``runtime/executor.py`` and of its pass.

Invariant: each action meets the world as it is by then, and the fences that the executor has; what it does may be cut
off behind any action, and anything may happen before any of them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from model_check import normal, revisions
from model_check import world as worlds
from model_check.world import Model, Run, Service, Version, World
from sklearn_operator.core import actions, naming, observed
from sklearn_operator.core.plan import Plan


class Aborted(Exception):
    """The pass ends here: a conflict, or an answer that did not come."""


class Broken(Exception):
    """An invariant that is told by an effect rather than by a state."""


@dataclass
class Pass:
    """One pass: the world that was observed, and the one that it acts upon."""

    seen: World
    world: World
    hindered: bool = False
    model: Model | None = field(init=False)

    def __post_init__(self) -> None:
        self.model = self.seen.model

    def begin(self, plan: Plan, count: int) -> bool:
        """The first actions; False where the pass ended with one of them."""
        try:
            for action in plan.actions[:count]:
                self._act(action)
        except Aborted:
            return False
        return True

    def end(self, plan: Plan, begun: int = 0) -> World:
        """The actions that are left, and the report; a question that nobody answered keeps it from being written."""
        try:
            for action in plan.actions[begun:]:
                self._act(action)
            if plan.status is not None and not self.hindered:
                self._report(plan.status)
        except Aborted:
            pass
        return normal.canonical(self.world)

    def meanwhile(self, world: World) -> Pass:
        """The same pass after something happened."""
        other = Pass(self.seen, world, self.hindered)
        other.model = self.model
        return other

    def submit(self, action: actions.SubmitRun, answer: str) -> World:
        """``answer``: lost, and the run comes later; or refused, for a while, before it was taken."""
        with contextlib.suppress(Aborted):
            self._submit(action, answer)
        return normal.canonical(self.world)

    def _act(self, action: actions.Action) -> None:
        match action:
            case actions.AddFinalizer():
                self._finalizer()
            case actions.RemoveFinalizer():
                self._remove_finalizer()
            case actions.CreateVersion():
                self._create(action)
            case actions.SubmitRun():
                self._submit(action)
            case actions.TerminateRun():
                self._terminate(action)
            case actions.DeleteRun():
                self._delete_run(action)
            case actions.ReportVersion():
                self._report_version(action)
            case actions.ApplyInferenceService():
                self._apply(action)
            case actions.DeleteInferenceService():
                if self.world.service is not None:
                    self.world = self.world._replace(service=self.world.service._replace(leaving=True))
            case actions.DeleteArtifacts():
                number = naming.number(worlds.NAME, action.version)
                left = tuple(one for one in self.world.things if one.version != number)
                self.world = self.world._replace(things=left)
            case actions.DeleteVersion():
                version = self.world.version(action.name)
                if version is not None:
                    self.world = worlds.with_version(self.world, version._replace(leaving=True))
            case actions.ReleaseVersion():
                self.world = release(self.world, action.name)
            case actions.Announce():
                pass

    def _finalizer(self) -> None:
        model = self.world.model
        if model is None:
            return
        if model.finalizer or model.deleting:
            raise Aborted
        self.model = model._replace(finalizer=True)
        self.world = self.world._replace(model=self.model)

    def _remove_finalizer(self) -> None:
        world = self.world
        if world.runs or world.things or world.versions or world.service or world.deployments:
            raise Broken("the model is let go, and something is left of it")
        self.world = self.world._replace(model=None)

    def _create(self, action: actions.CreateVersion) -> None:
        if self.world.version(action.name) is not None:
            raise Aborted
        if action.number <= self.world.highest:
            raise Broken(f"number {action.number} is given twice")
        if action.trigger_key in self.world.keys:
            raise Broken(f"trigger {action.trigger_key} makes a second version")
        trigger, training = (action.trigger_type, action.trigger_key), worlds.written(action.training)
        made = Version(action.number, action.training_hash, trigger, action.retrain, training)
        memory = self.world.memory
        self.world = worlds.with_version(self.world, made)._replace(
            highest=action.number,
            keys=(*self.world.keys, action.trigger_key),
            memory=memory._replace(unsubmitted=(*memory.unsubmitted, (action.number, 1))),
            settling=(*self.world.settling, action.number),
        )

    def _submit(self, action: actions.SubmitRun, answer: str = "taken") -> None:
        version = self.seen.version(action.version)
        assert version is not None
        number, attempt = version.number, worlds.attempt_of(version.status)
        memory = self.world.memory
        left = tuple(one for one in memory.unsubmitted if one != (number, attempt))
        settling = (*(one for one in self.world.settling if one != number), number)
        self.world = self.world._replace(memory=memory._replace(unsubmitted=left), settling=settling)
        before = self.world.run(number, attempt)
        if self.world.silent or answer == "refused":
            raise Aborted
        if before is not None and before.seen:
            return
        if before is not None and before.state == "sent":
            raise Broken(f"attempt {attempt} of {action.version} is submitted a second time")
        self.world = worlds.with_run(self.world, Run(number, attempt, "sent" if answer == "lost" else "running"))
        if answer == "lost":
            raise Aborted

    def _found(self, run_id: str) -> Run | None:
        return next((one for one in self.world.runs if one.id == run_id and one.seen), None)

    def _terminate(self, action: actions.TerminateRun) -> None:
        if self.world.silent:
            raise Aborted
        run = self._found(action.run_id)
        if run is None:
            return
        if run.state in ("running", "late"):
            self.world = worlds.with_run(self.world, run._replace(state="ending"))
        memory = self.world.memory
        rest = tuple(one for one in memory.ending if one[:2] != run[:2])
        ending = (*rest, (run.version, run.attempt, False))
        self.world = self.world._replace(memory=memory._replace(ending=ending))

    def _delete_run(self, action: actions.DeleteRun) -> None:
        if self.world.silent:
            raise Aborted
        run = self._found(action.run_id)
        if run is not None and run.pods:
            self.world = worlds.with_run(self.world, run._replace(state="deleted"))
        elif run is not None:
            self.world = worlds.without_run(self.world, run)

    def _report_version(self, action: actions.ReportVersion) -> None:
        seen, version = self.seen.version(action.version), self.world.version(action.version)
        if version is None or version != seen:
            raise Aborted
        self.world = worlds.with_version(self.world, version._replace(status=worlds.written(action.status)))
        run = action.status.get("run") or {}
        if run.get("state") == "SUBMITTING":
            memory, entry = self.world.memory, (version.number, int(run["attempt"]))
            memory = memory._replace(unsubmitted=(*memory.unsubmitted, entry))
            settling = tuple(sorted({*self.world.settling, version.number}))
            self.world = self.world._replace(memory=memory, settling=settling)

    def _apply(self, action: actions.ApplyInferenceService) -> None:
        service = self.world.service
        if (action.revision is None) != (service is None) or service != self.seen.service:
            raise Aborted
        made = service if service is not None else Service("")
        manifest = worlds.written(action.manifest)
        self.world = self.world._replace(service=made._replace(manifest=manifest, fresh=True, edited=False))
        if (asked := revisions.wanted(manifest)) is not None:
            number = naming.number(worlds.NAME, asked.version)
            self.world = self.world._replace(given=revisions.given(self.world.given, number, asked.percent))

    def _report(self, status: observed.Json) -> None:
        if self.world.model is None or self.world.model != self.model:
            raise Aborted
        self.world = self.world._replace(model=self.world.model._replace(status=worlds.written(status)))


def reborn(world: World) -> World:
    """The operator dies and begins anew: what it knew by itself is gone, and every pause counts from now."""
    return world._replace(memory=worlds.Memory(), settling=tuple(one.number for one in world.versions))


def release(world: World, name: str) -> World:
    """Takes our finalizer off a leaving version, and with it the version."""
    version = world.version(name)
    if version is None:
        return world
    number = version.number
    if number in {one.version for one in world.runs} | {one.version for one in world.things}:
        raise Broken(f"{name} is let go, and something is left of it")
    if not version.leaving:
        raise Broken(f"{name} is let go, and nobody deleted it")
    return world._replace(versions=tuple(one for one in world.versions if one != version))
