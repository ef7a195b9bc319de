"""Everything put together: what is followed, who listens, and in which order it ends.

Invariant: /healthz says yes once every known route has its port.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from sklearn_sandbox import state
from sklearn_sandbox.gateway import activator, doors, proxying, table
from sklearn_sandbox.node import api, ledger, tasks, watching

ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
log = logging.getLogger(__name__)


async def run(home: Path, port: int, kubeconfig: str, idle: float, stop: asyncio.Event) -> None:
    """Until `stop` is set. `idle`: seconds without a request after which what may sleep does."""
    async with api.connect(kubeconfig) as server, proxying.client() as session:
        known, kept = table.Table(), ledger.Ledger(home / "gateway.json")
        scales = activator.Activator(server, known, idle, asyncio.get_running_loop().time)
        opened = doors.Doors(server, known, kept, session, scales, lambda: _taken(home))
        followers = [
            watching.Follower(server, "/api/v1/services", known.service_seen, known.service_gone),
            watching.Follower(server, SLICES, known.slice_seen, known.slice_gone),
            watching.Follower(server, ROUTES, opened.seen, opened.gone),
        ]
        background = tasks.Tasks()
        for number, follower in enumerate(followers):
            background.start(follower.run(), f"follower {number}")
        background.start(opened.run(), "doors")
        background.start(scales.run(), "activator")
        background.start(_prune(followers, opened), "pruning")
        health = await _health(port, lambda: all(one.synced.is_set() for one in followers) and opened.ready)
        ends = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(background.failed.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        log.info("stopping")
        await health.cleanup()
        await opened.close()  # before the background ends: who waits at a door may still be let in
        await background.stop()
    if background.failed.is_set():
        raise RuntimeError("a part of the gateway failed; its log says which")


async def _prune(followers: list[watching.Follower], opened: doors.Doors) -> None:
    await watching.synced(followers)
    opened.prune()


async def _health(port: int, ready: Callable[[], bool]) -> web.AppRunner:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok") if ready() else web.Response(text="starting", status=503)

    app = web.Application()
    app.add_routes([web.get("/healthz", answer)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, state.LOOPBACK, port).start()
    return runner


def _taken(home: Path) -> set[int]:
    """Ports of components, and of Services whose node agent may just not be there."""
    return {*state.load(home).ports.values(), *ledger.Ledger(home / "node.json").ports.values()}
