"""A queue of keys with the manners of controller-runtime's: it knows nothing of Kubernetes.

Invariants: a key is worked on by at most one worker at a time; a wake-up during the work is not lost but runs once
more afterwards; waking a key that waits for later brings it forward and never back. Failures back off per key, so
one broken object delays nobody else.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

K = TypeVar("K")


class Clock(Protocol):
    def __call__(self) -> float:
        """Monotonic seconds."""


class WorkQueue(Generic[K]):
    """``add`` and ``add_after`` from anywhere on the loop; ``run`` in one task."""

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        workers: int = 8,
        backoff: tuple[float, float] = (0.5, 30.0),
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        waited: Callable[[float], None] = lambda seconds: None,
        retried: Callable[[], None] = lambda: None,
    ) -> None:
        """``work`` returns seconds until the next look, or None; raising means backing off.

        An error may say itself for how long at least: ``retry_after`` seconds. ``waited`` is told how long a key was
        ready before its work began, ``retried`` that one has failed.
        """
        self._work = work
        self._workers = workers
        self._first, self._cap = backoff
        self._clock: Clock = clock or (lambda: asyncio.get_running_loop().time())
        self._jitter = jitter
        self._waited, self._retried = waited, retried
        self._ready: deque[K] = deque()
        #: Since when each of them is ready.
        self._queued: dict[K, float] = {}
        self._busy: dict[K, float] = {}
        self._dirty: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def busy(self) -> int:
        return len(self._busy)

    @property
    def longest(self) -> float:
        """Seconds since the oldest of the work under way began."""
        return self._clock() - min(self._busy.values()) if self._busy else 0.0

    @property
    def failing(self) -> int:
        """Keys whose last work raised."""
        return len(self._failures)

    @property
    def idle(self) -> bool:
        """Nothing to do now; something may be due later."""
        return not self._ready and not self._busy

    def failures(self, key: K) -> int:
        """How often in a row the key's work has raised."""
        return self._failures.get(key, 0)

    def add(self, key: K) -> None:
        """Work on ``key`` as soon as a worker is free."""
        self._due.pop(key, None)
        if key in self._busy:
            self._dirty.add(key)
        elif key not in self._queued:
            self._queued[key] = self._clock()
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, delay: float) -> None:
        """Work on ``key`` in ``delay`` seconds, unless it is woken or due earlier."""
        if delay <= 0:
            self.add(key)
            return
        moment = self._clock() + delay
        if key in self._queued or self._due.get(key, moment + 1) <= moment:
            return
        self._due[key] = moment
        heapq.heappush(self._later, (moment, next(self._order), key))
        self._changed.set()

    async def run(self) -> None:
        """Works until cancelled; what is being worked on then is finished first."""
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    self._promote()
                    while self._ready and len(self._busy) < self._workers:
                        key = self._ready.popleft()
                        self._busy[key] = self._clock()
                        self._waited(self._busy[key] - self._queued.pop(key))
                        group.create_task(self._one(key))
                    await self._wait()
            except asyncio.CancelledError:
                if self._busy:
                    await self._drain()
                raise

    async def _drain(self) -> None:
        while self._busy:
            self._changed.clear()
            await self._changed.wait()

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            moment, _, key = heapq.heappop(self._later)
            if self._due.get(key) == moment:
                self.add(key)

    async def _wait(self) -> None:
        self._changed.clear()
        if self._ready and len(self._busy) < self._workers:
            return
        timeout = max(self._later[0][0] - self._clock(), 0.0) if self._later else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _one(self, key: K) -> None:
        try:
            delay = await self._work(key)
        except Exception as error:  # the work reports its own errors; here it only matters that it failed
            count = self._failures[key] = self._failures.get(key, 0) + 1
            self._retried()
            delay = max(self.backoff(count), min(getattr(error, "retry_after", None) or 0.0, self._cap))
        else:
            self._failures.pop(key, None)
        finally:
            self._busy.pop(key, None)
            self._changed.set()
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key) if not self._failures.get(key) else self.add_after(key, min(delay or 0.0, 1.0))
        elif delay is not None:
            self.add_after(key, delay)

    def backoff(self, failures: int) -> float:
        """Doubling from the first delay to the cap, with up to a quarter of jitter taken off."""
        exponent = min(failures - 1, 16)
        return float(min(self._cap, self._first * 2**exponent) * (1 - self._jitter() / 4))
