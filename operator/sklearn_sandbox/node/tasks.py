"""Work that nobody waits for. Invariant: such a task is neither collected half-way nor does it fail unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        #: Set when one of them failed.
        self.failed = asyncio.Event()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    async def stop(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
            self.failed.set()


class Pauses:
    """Ever longer pauses between attempts of one thing; the same reason is logged once."""

    def __init__(self, where: logging.Logger, first: float = 1.0, longest: float = 10.0) -> None:
        self._log, self._first, self._longest = where, first, longest
        self.reset()

    def reset(self) -> None:
        self._next, self._reason = self._first, ""

    async def after(self, reason: str) -> None:
        if reason != self._reason:
            self._log.warning("%s", reason)
        seconds, self._reason, self._next = self._next, reason, min(2 * self._next, self._longest)
        await asyncio.sleep(seconds)
