"""/livez, /readyz and /metrics.

Invariant: live means that the event loop turns and no pass hangs; ready means that everything was listed once, and that
the workers run or stand by. What is being waited for is in the answer, ready or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import prometheus_client as prometheus
from aiohttp import web

from sklearn_operator.backends import errors
from sklearn_operator.runtime.metrics import Metrics

#: Every call of a pass ends in a minute; one that is under way for so long has lost its way.
STUCK_AFTER = 900.0


@dataclass
class State:
    """What the probes answer from."""

    longest_pass: Callable[[], float]
    ready: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    standing_by: Callable[[], str] = str

    def note(self, what: str, why: str) -> bool:
        """``what`` is being waited for, because of ``why``, or no longer (empty); whether that is news."""
        before = self.notes.get(what, "")
        if why:
            self.notes[what] = why
        else:
            self.notes.pop(what, None)
        return before != why

    @property
    def told(self) -> str:
        lines = ["ok" if self.ready else "not ready", *filter(None, [self.standing_by()])]
        return "\n".join([*lines, *(f"waiting for {what}: {why}" for what, why in self.notes.items())]) + "\n"

    @property
    def stuck(self) -> str | None:
        seconds = self.longest_pass()
        return f"a pass is under way for {seconds:.0f} s" if seconds > STUCK_AFTER else None


@asynccontextmanager
async def serving(host: str, port: int, state: State, metrics: Metrics) -> AsyncIterator[int]:
    """Serves until left; yields the port."""

    async def livez(_: web.Request) -> web.Response:
        stuck = state.stuck
        return web.Response(status=503, text=f"{stuck}\n") if stuck else web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=200 if state.ready else 503, text=state.told)

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": prometheus.CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", exposition)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            what = "SKLEARN_OPERATOR_HEALTH_HOST and _PORT"
            raise errors.Rejected(f"{what}: cannot listen on {host}:{port}: {error.strerror}") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
