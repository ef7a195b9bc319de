"""One pass over one model: observe, decide, act, report.

Invariant: the pass ends with the status that follows from what was seen, written once and only if it changed; whatever
interrupts it, the next pass starts from observation again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sklearn_operator.backends import errors
from sklearn_operator.core import actions, announcing, inquiry, observed, parameters, trouble, validation
from sklearn_operator.core import plan as planning
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime import logs
from sklearn_operator.runtime.executor import Executor, Pass
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.observer import Objects, Observer
from sklearn_operator.runtime.tracing import Tracer

_log = logging.getLogger(__name__)

#: A hiccup is not worth a status write; trouble that lasts is, and so is a definite no.
_SHOWN_AFTER = 2
_AFTER_CONFLICT = (0.05, 5.0)

_NO_QUESTIONS = inquiry.Questions()


class Reconciler:
    def __init__(
        self,
        observer: Observer,
        executor: Executor,
        settings: Settings,
        catalogue: parameters.Catalogue,
        metrics: Metrics,
        now: Callable[[], datetime],
        stopping: Callable[[], bool] = lambda: False,
        tracer: Tracer | None = None,
    ) -> None:
        """``stopping``: whether no further action may begin."""
        self._observer = observer
        self._executor = executor
        self._settings = settings
        self._catalogue = catalogue
        self._metrics = metrics
        self._now = now
        self._stopping = stopping
        self._tracer = tracer or Tracer()
        self._troubles: dict[observed.ModelKey, _Trouble] = {}
        self._told = logs.Troubles(_log)
        self._conflicts: dict[observed.ModelKey, int] = {}

    async def reconcile(self, key: observed.ModelKey) -> float | None:
        """Returns seconds until the next look, None when only events matter; raises to back off."""
        with logs.about(model=str(key)), self._metrics.reconciling(key.namespace) as passing:
            try:
                delay, idle = self._idle(key)
                if not idle:
                    objects = await self._live(key)
                    delay = await self._pass(objects) if objects is not None else None
            except errors.Conflict as conflict:
                _log.debug("%s; looking again", conflict)
                passing.result = "conflict"
                return self._after_conflict(key)
            except _Refused as refused:
                self._count(key, refused.error)
                raise refused.error from None
            except _Hindered as hindered:
                await self._tell(key, hindered.error, hindered.status)
                raise hindered.error from None
            except errors.BackendError as error:
                await self._tell(key, error)
                raise
            except Exception as bug:
                await self._tell(key, errors.Rejected(f"internal error: {type(bug).__name__}; see the log"))
                raise
            self._forget(key)
            return None if delay is None else delay.total_seconds()

    def _idle(self, key: observed.ModelKey) -> tuple[timedelta | None, bool]:
        """Whether there is nothing to do, and until when; this is what a restart costs.

        So it is when the last seen objects ask no question and their plan is empty. What is being taken down is looked
        at live all the same: it waits for things to go, and an event that was missed would keep it for long.
        """
        objects = self._observer.cached(key)
        if objects is None or objects.orphans or objects.model.deleting:
            return None, False
        if self._observer.questions(objects) != _NO_QUESTIONS:
            return None, False
        plan = planning.plan(self._observer.settled(objects), self._settings, self._catalogue, self._now())
        return plan.look_again, plan.idle

    async def _live(self, key: observed.ModelKey) -> Objects | None:
        objects = await self._observer.live(key)
        if objects is None or objects.orphans:
            await self._executor.release_orphans(key, objects.model.uid if objects is not None else None)
        if objects is None:
            self._observer.ledger.forget_model(key)
        return objects

    async def _pass(self, objects: Objects) -> timedelta | None:
        # Unless an action says otherwise, a line is about the newest version.
        logs.note(**self._of_version(max(objects.versions, key=lambda version: version.number, default=None)))
        seen, silent = await self._observer.observe(objects)
        plan = planning.plan(seen, self._settings, self._catalogue, self._now())
        current = Pass(seen.model, {version.name: version for version in seen.versions}, seen.model.resource_version)
        for action in plan.actions:
            if self._stopping():
                return None
            try:
                with logs.about(**self._of_version(_meant(current, action))):
                    await self._act(current, action)
            except errors.Rejected as refusal:
                if isinstance(action, actions.ApplyInferenceService):
                    await self._report_refusal(current, seen)
                    raise _Refused(refusal) from refusal
                raise
        if silent is not None:
            raise _Hindered(silent, seen.model.status if plan.status is None else plan.status)
        if plan.status is not None:
            await self._executor.report(current, plan.status)
            self._tracer.reported(current.model, current.versions, plan.status, self._now())
        return plan.look_again

    async def _act(self, current: Pass, action: actions.Action) -> None:
        _log.info("%s", describe(action))
        self._metrics.acted(action)
        try:
            await self._executor.execute(current, action)
        except errors.Rejected as refusal:
            if not isinstance(action, actions.SubmitRun):
                raise
            version = current.versions[action.version]
            status = await self._executor.refuse(current, version, str(refusal))
            self._metrics.reported(current.model.key.namespace, version, status, self._now())
            self._tracer.recorded(current.model, version, status)
            raise errors.Conflict("the version was marked as refused") from refusal
        self._metrics.done(current.model.key.namespace, current.versions, action, self._now())
        self._tracer.done(current.model, current.versions, action)

    async def _report_refusal(self, current: Pass, seen: observed.Observed) -> None:
        """The same facts with the refusal among them give the status that says so, the same at every attempt."""
        refusal = self._observer.ledger.refusals.get(current.model.key)
        knowing = replace(seen, serving=replace(seen.serving, refusal=refusal))
        plan = planning.plan(knowing, self._settings, self._catalogue, self._now())
        for action in plan.actions:
            if isinstance(action, actions.Announce):
                await self._act(current, action)
        if plan.status is not None:
            await self._executor.report(current, plan.status)

    def _of_version(self, version: observed.Version | None) -> dict[str, str]:
        """What the log says of it."""
        if version is None:
            return {}
        run = str((version.status.get("run") or {}).get("id") or "")
        return {"version": version.name, "run": run, "trace_id": self._tracer.trace_id(version)}

    def _problem(self, model: observed.Model) -> tuple[str, str] | None:
        try:
            validation.accept(model, self._settings, self._catalogue)
        except validation.NotAccepted as refusal:
            return refusal.reason, refusal.message
        return None

    def _after_conflict(self, key: observed.ModelKey) -> float:
        """Somebody was faster, which happens; somebody who always is must not make us spin."""
        count = self._conflicts[key] = self._conflicts.get(key, 0) + 1
        first, most = _AFTER_CONFLICT
        return float(min(first * 2 ** min(count - 1, 16), most))

    def _forget(self, key: observed.ModelKey) -> None:
        """The pass went well: what stood in its way before is over."""
        self._conflicts.pop(key, None)
        if self._troubles.pop(key, None) is not None:
            self._told.over(key, "the trouble is over")

    def _count(self, key: observed.ModelKey, error: errors.BackendError) -> _Trouble:
        trouble_now = self._troubles.setdefault(key, _Trouble(self._now()))
        trouble_now.count += 1
        self._told.met(key, " ".join(str(error).split()))
        return trouble_now

    async def _tell(
        self, key: observed.ModelKey, error: errors.BackendError, known: observed.Json | None = None
    ) -> None:
        """Says in the status what is in the way, once it has lasted. No counter: the words stay the same.

        ``known``: the status as it would be without the trouble, None if nothing is known.
        """
        met = self._count(key, error)
        if met.count < _SHOWN_AFTER and not isinstance(error, errors.Rejected):
            return
        try:
            fresh = await self._observer.live_model(key)
            if fresh is None:
                return
            if fresh.deleting and known is not None:
                status = known  # what is being waited for names the trouble already
            else:
                status = trouble.troubled(fresh, str(error), self._now(), self._problem(fresh), known)
            current = Pass(fresh, {}, fresh.resource_version)
            lasting = announcing.lasting(met.since, str(error), self._now())
            if lasting is not None and not met.announced:
                await self._act(current, lasting)
                met.announced = True
            if status != fresh.status:
                await self._executor.report(current, status)
        except errors.BackendError as second:
            _log.debug("the trouble cannot be reported: %s", second)


@dataclass
class _Trouble:
    """What stands in the way of a model, since when, and in how many passes in a row."""

    since: datetime
    count: int = 0
    announced: bool = False


class _Refused(Exception):
    """The API server's definite no to an InferenceService; the status says so already."""

    def __init__(self, error: errors.BackendError) -> None:
        super().__init__(str(error))
        self.error = error


class _Hindered(Exception):
    """The rest was done; ``status`` is what can be said of it."""

    def __init__(self, error: errors.BackendError, status: observed.Json) -> None:
        super().__init__(str(error))
        self.error = error
        self.status = status


def _meant(current: Pass, action: actions.Action) -> observed.Version | None:
    return current.versions.get(str(getattr(action, "version", getattr(action, "name", ""))))


def describe(action: actions.Action) -> str:
    """One line for the log: the kind and its short fields."""
    fields = {name: value for name, value in vars(action).items() if isinstance(value, (str, int))}
    shown = ", ".join(f"{name}={value}" for name, value in fields.items())
    return f"{type(action).__name__}({shown})"
