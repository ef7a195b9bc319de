"""One pass over one model: observe, decide, act, report.

Invariant: the pass ends with the status that follows from what was seen, written once and only if it changed; whatever
interrupts it, the next pass starts from observation again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sklearn_operator.backends import errors
from sklearn_operator.core import actions, inquiry, observed, parameters, report
from sklearn_operator.core import plan as planning
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime.executor import Executor, Pass
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.observer import Objects, Observer

_log = logging.getLogger(__name__)

#: A hiccup is not worth a status write; trouble that lasts is.
_SHOWN_AFTER = 2

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
    ) -> None:
        self._observer = observer
        self._executor = executor
        self._settings = settings
        self._catalogue = catalogue
        self._metrics = metrics
        self._now = now
        self._troubles: dict[observed.ModelKey, int] = {}

    async def reconcile(self, key: observed.ModelKey) -> float | None:
        """Returns seconds until the next look, None when only events matter; raises to back off."""
        with self._metrics.reconciling():
            if self._nothing_to_do(key):
                return None
            objects = await self._live(key)
            if objects is None:
                return None
            try:
                delay = await self._pass(objects)
            except errors.Conflict as conflict:
                _log.debug("%s: %s; looking again", key, conflict)
                return 0.05
            except errors.BackendError as error:
                await self._tell(objects, error)
                raise
            self._troubles.pop(key, None)
            return None if delay is None else delay.total_seconds()

    def _nothing_to_do(self, key: observed.ModelKey) -> bool:
        """True when the last seen objects ask no question and their plan is empty; this is what a restart costs."""
        objects = self._observer.cached(key)
        if objects is None or self._observer.questions(objects) != _NO_QUESTIONS:
            return False
        plan = planning.plan(self._observer.settled(objects), self._settings, self._catalogue, self._now())
        return plan.idle and plan.look_again is None

    async def _live(self, key: observed.ModelKey) -> Objects | None:
        objects = await self._observer.live(key)
        if objects is None:
            await self._executor.release_orphans(key)
            self._troubles.pop(key, None)
        return objects

    async def _pass(self, objects: Objects) -> timedelta | None:
        seen = await self._observer.observe(objects)
        plan = planning.plan(seen, self._settings, self._catalogue, self._now())
        current = Pass(seen.model, {version.name: version for version in seen.versions}, seen.model.resource_version)
        for action in plan.actions:
            await self._act(current, action)
        if plan.status is not None:
            await self._executor.report(current, plan.status)
        return plan.look_again

    async def _act(self, current: Pass, action: actions.Action) -> None:
        _log.info("%s: %s", current.model.key, describe(action))
        self._metrics.acted(action)
        try:
            await self._executor.execute(current, action)
        except errors.Rejected as refusal:
            if not isinstance(action, actions.SubmitRun):
                raise
            await self._executor.refuse(current, current.versions[action.version], str(refusal))
            raise errors.Conflict("the version was marked as refused") from refusal

    async def _tell(self, objects: Objects, error: errors.BackendError) -> None:
        """Says in the status what is in the way, once it has lasted. No counter: the words stay the same."""
        key = objects.model.key
        count = self._troubles[key] = self._troubles.get(key, 0) + 1
        _log.warning("%s: %s (%d in a row)", key, error, count)
        if count < _SHOWN_AFTER:
            return
        try:
            fresh = await self._observer.live(key)
            if fresh is None:
                return
            status = report.troubled(fresh.model, str(error), self._now())
            if status != fresh.model.status:
                await self._executor.report(Pass(fresh.model, {}, fresh.model.resource_version), status)
        except errors.BackendError as second:
            _log.warning("%s: the trouble cannot be reported: %s", key, second)


def describe(action: actions.Action) -> str:
    """One line for the log: the kind and its short fields."""
    fields = {name: value for name, value in vars(action).items() if isinstance(value, (str, int))}
    shown = ", ".join(f"{name}={value}" for name, value in fields.items())
    return f"{type(action).__name__}({shown})"
