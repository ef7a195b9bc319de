"""/livez, /readyz and /metrics.

Invariant: live means that the event loop turns and no pass hangs; ready means that everything was listed once and the
workers run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import prometheus_client as prometheus
from aiohttp import web

from sklearn_operator.runtime.metrics import Metrics

#: Every call of a pass ends in a minute; one that is under way for so long has lost its way.
STUCK_AFTER = 900.0


@dataclass
class State:
    """What the probes answer from."""

    longest_pass: Callable[[], float]
    ready: bool = False

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
        return web.Response(text="ok\n") if state.ready else web.Response(status=503, text="not ready\n")

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": prometheus.CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", exposition)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
