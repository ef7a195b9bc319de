"""The listening process: it stops without losing a request.

A pod that ends keeps receiving requests for as long as the cluster needs to notice. So after the first SIGTERM the
server still answers for ``drain`` seconds, says "not ready" and asks kept connections to go elsewhere; only then it
stops accepting, and ends when the last request in flight is answered. Invariant: an accepted request is answered.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import uvicorn

from sklearn_runtime import web

#: How long requests in flight may take once nothing new is accepted; with the drain below a pod's 30 s of grace.
FINISH_SECONDS = 20
KEEP_ALIVE_SECONDS = 65
COMPANION_THREADS = 4
#: uvloop accepts one connection per listening handle and turn of the loop, and a turn answers a request of every open
#: one: behind 32 busy ones the last of 32 new ones would wait half a second, and of 64 three.
ACCEPTORS = 16


class Server(uvicorn.Server):
    """A uvicorn server that drains before it stops; a second signal stops it at once."""

    def __init__(self, app: web.Application, drain: float, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=FINISH_SECONDS,
        )
        super().__init__(config)
        self._app = app
        self._drain = drain
        self._started = started
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """``sockets``: listening ones, each of which is watched by several handles."""
        self._loop = asyncio.get_running_loop()
        more = [each.dup() for each in sockets or () for _ in range(ACCEPTORS - 1)]
        await super().serve([*sockets, *more] if sockets is not None else None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._app.draining or self._drain <= 0 or self._loop is None:
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain, self.finish)
        self._app.draining = True

    def finish(self) -> None:
        """Stop accepting and end when the requests in flight are answered."""
        self.should_exit = True


class Companion(Protocol):
    """A second server that lives as long as the first, such as KServe's for gRPC."""

    async def start(self, max_workers: int) -> None: ...

    async def stop(self, sig: int | None = None) -> None: ...


async def serve_both(web: Server, listener: socket.socket, companion: Companion) -> None:
    """Serve on both wires; the first decides when to stop, and an early end of the second ends both."""
    other = asyncio.create_task(companion.start(COMPANION_THREADS))
    other.add_done_callback(lambda _: web.finish())
    await web.serve([listener])
    await companion.stop()
    await other
