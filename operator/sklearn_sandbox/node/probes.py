"""Startup, readiness and liveness probes of one running container.

Invariant: a verdict is given only when a threshold is reached, and readiness and liveness wait for the startup probe.
The first probe runs as soon as its initial delay is over, the next ones at fixed distances from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from sklearn_sandbox.node import hooks

Probe = Mapping[str, Any]
#: Does the probe once; raises hooks.Failed.
Attempt = Callable[[Probe], Awaitable[None]]


class Listener(Protocol):
    """Who is told."""

    def started(self) -> None: ...

    def ready(self, is_ready: bool) -> None: ...

    def unhealthy(self, kind: str, output: str) -> None:
        """A probe failed; `kind` is Startup, Readiness or Liveness."""

    def failed(self, kind: str, probe: Probe) -> None:
        """Startup or liveness is lost: the container is to be restarted."""


async def watch(container: Mapping[str, Any], attempt: Attempt, listener: Listener) -> None:
    """Runs until it is cancelled, or until the container is to be restarted."""
    startup = container.get("startupProbe")
    if startup and not await _until_first_verdict(startup, attempt, listener):
        return
    listener.started()
    readiness, liveness = container.get("readinessProbe"), container.get("livenessProbe")
    async with asyncio.TaskGroup() as group:
        if readiness:
            group.create_task(_readiness(readiness, attempt, listener))
        else:
            listener.ready(True)
        if liveness:
            group.create_task(_liveness(liveness, attempt, listener))


async def _until_first_verdict(probe: Probe, attempt: Attempt, listener: Listener) -> bool:
    """The startup probe: True once it succeeded, False when it is lost."""
    async for good in _verdicts("Startup", probe, attempt, listener):
        if not good:
            listener.failed("Startup", probe)
        return good
    return False


async def _readiness(probe: Probe, attempt: Attempt, listener: Listener) -> None:
    async for good in _verdicts("Readiness", probe, attempt, listener):
        listener.ready(good)


async def _liveness(probe: Probe, attempt: Attempt, listener: Listener) -> None:
    async for good in _verdicts("Liveness", probe, attempt, listener):
        if not good:
            listener.failed("Liveness", probe)
            return


async def _verdicts(kind: str, probe: Probe, attempt: Attempt, listener: Listener) -> AsyncIterator[bool]:
    """A verdict after every attempt that has enough like it in a row."""
    loop = asyncio.get_running_loop()
    due = loop.time() + probe.get("initialDelaySeconds", 0)
    period = max(1, probe.get("periodSeconds", 10))
    thresholds = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
    result, row = True, 0
    while True:
        await asyncio.sleep(due - loop.time())
        try:
            await attempt(probe)
            good = True
        except hooks.Failed as error:
            good = False
            listener.unhealthy(kind, str(error))
        row = row + 1 if good == result else 1
        result = good
        if row >= thresholds[good]:
            yield good
        due = max(due + period, loop.time())
