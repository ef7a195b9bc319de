"""To zero and back: a Deployment that nobody asks for a while gets no replicas, and one as soon as somebody asks.

Which ones may sleep is said by the annotation `sandbox.sklearn-operator.io/scales` of the Services before them. A
request that comes while pods are going is still answered by them or comes back unheard, and then wakes them again.

Invariant: whoever is used by a request, or waits for one, is not put to sleep.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import Callable, Iterator

from sklearn_sandbox.gateway import table
from sklearn_sandbox.node import api

IDLE_SECONDS = 30.0
#: Somebody else may have taken the replicas away again; or the call was lost.
AGAIN_SECONDS = 2.0
log = logging.getLogger(__name__)


class Activator:
    def __init__(self, server: api.Api, known: table.Table, idle: float, clock: Callable[[], float]) -> None:
        self._api, self._table, self._idle, self._clock = server, known, idle, clock
        self._used: collections.Counter[table.Key] = collections.Counter()
        #: Since when nobody asks those that are awake.
        self._since: dict[table.Key, float] = {}
        self._woken: dict[table.Key, float] = {}

    @contextlib.contextmanager
    def using(self, key: table.Key) -> Iterator[None]:
        self._used[key] += 1
        try:
            yield
        finally:
            self._used[key] -= 1
            self._since[key] = self._clock()

    async def wake(self, key: table.Key) -> None:
        """Asks for a pod; many who want the same ask once."""
        if self._clock() - self._woken.get(key, float("-inf")) < AGAIN_SECONDS:
            return
        self._woken[key] = self._clock()
        await self._scale(key, 1)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._idle / 4))
            for key in self.idle():
                self._woken.pop(key, None)
                await self._scale(key, 0)

    def idle(self) -> list[table.Key]:
        """Who is awake and was not asked for long enough."""
        now, awake = self._clock(), {key for key, up in self._table.sleepers().items() if up}
        self._since = {key: self._since.get(key, now) for key in awake}
        return [key for key, since in self._since.items() if not self._used[key] and now - since >= self._idle]

    async def _scale(self, key: table.Key, replicas: int) -> None:
        namespace, name = key
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
        try:
            await self._api.call("PATCH", path, {"spec": {"replicas": replicas}}, api.MERGE)
            log.info("%s/%s now has %d replicas", namespace, name, replicas)
        except api.ApiError as error:
            log.warning("scaling %s/%s to %d: %s", namespace, name, replicas, error)
