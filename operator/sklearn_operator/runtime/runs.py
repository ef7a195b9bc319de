"""What is known of running runs, refreshed by one listing for all of them.

Invariants: however many models are in training, a namespace is listed at most once per ``max_age``; an absent run is
never remembered as absent. And a pipeline server that does not answer is tried by one question at a time: the others
fail at once with its error, so that waiting for it takes one worker and not all of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sklearn_operator.backends import errors, ports
from sklearn_operator.core import observed

#: Runs, the latest seen ones; what falls out is asked for again.
_REMEMBERED = 4096
_BEFORE_TRYING_AGAIN = 1.0


class Runs:
    """A short memory in front of the pipeline backend."""

    def __init__(self, backend: ports.PipelineBackend, max_age: float, clock: Callable[[], float]) -> None:
        self._backend = backend
        self._max_age = max_age
        self._clock = clock
        self._seen: dict[str, tuple[observed.Run, float]] = {}
        self._active: defaultdict[str, set[str]] = defaultdict(set)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._trouble: errors.Transient | None = None
        self._tried_at = 0.0
        self._trying = False

    async def find(self, namespace: str, run_id: str, display_name: str) -> observed.Run | None:
        """The run, at most ``max_age`` seconds old; None when the server certainly has none now."""
        async with self._locks[namespace]:
            known = self._fresh(run_id)
            if known is not None:
                return known
            if run_id in self._active[namespace]:
                asked = frozenset(self._active[namespace])
                async with self._answering():
                    listed = await self._backend.list_runs(namespace=namespace, run_ids=asked)
                for active in listed.values():
                    self.put(namespace, active)
                # One that is gone would be asked for, one by one, with every listing to come.
                self._active[namespace] -= asked - listed.keys()
                if run_id in listed:
                    return listed[run_id]
        async with self._answering():
            run = await self._backend.find_run(namespace=namespace, run_id=run_id, display_name=display_name)
        if run is not None:
            self.put(namespace, run)
        return run

    def put(self, namespace: str, run: observed.Run) -> None:
        self._seen.pop(run.id, None)
        self._seen[run.id] = (run, self._clock())
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if run.state.terminal:
            self._active[namespace].discard(run.id)
        else:
            self._active[namespace].add(run.id)

    def forget(self, namespace: str, run_id: str) -> None:
        """After anything was done to the run: the next look is a real one."""
        self._seen.pop(run_id, None)
        self._active[namespace].discard(run_id)

    def _fresh(self, run_id: str) -> observed.Run | None:
        known = self._seen.get(run_id)
        if known is None:
            return None
        run, at = known
        return run if run.state.terminal or self._clock() - at <= self._max_age else None

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Guards a question: while the server is in trouble, all but one fail without being asked."""
        trial = self._trouble is not None
        if self._trouble is not None:
            if self._trying or self._clock() - self._tried_at < _BEFORE_TRYING_AGAIN:
                raise errors.Transient(str(self._trouble), retry_after=self._trouble.retry_after)
            self._trying = True
        try:
            yield
        except errors.Transient as error:
            self._trouble, self._tried_at = error, self._clock()
            raise
        except errors.BackendError:
            self._trouble = None
            raise
        else:
            self._trouble = None
        finally:
            if trial:
                self._trying = False
