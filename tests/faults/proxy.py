"""A proxy between the operator and the three servers it writes to.

Every request passes through here. Requests that write are numbered in the order in which they arrive, whatever server
they go to; at a chosen number the operator is killed, either before the request is passed on or after the server has
carried it out and before the answer comes back. Nothing is imagined: the servers are the real ones.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
import yarl
from aiohttp import web

_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "content-length",
    "content-encoding",
}


@dataclass(frozen=True)
class Write:
    number: int
    server: str
    method: str
    path: str

    @property
    def label(self) -> str:
        return f"{self.server} {self.method} {self.path}"

    def __str__(self) -> str:
        return f"{self.number} {self.server} {self.method} {self.path}"


@dataclass
class Trap:
    """Kill at write ``number`` (counted from when the trap was set), before or after the server carries it out."""

    number: int
    when: Literal["before", "after"]
    kill: Callable[[], None]
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    at: Write | None = None


@dataclass
class Gate:
    """Holds back requests to ``server``: the one POST that ends in ``path``, or all of them where that is empty.

    They go on when ``opened`` is set, whether or not anybody waits for the answer. ``abort``: nobody does.
    """

    server: str
    path: str = ""
    abort: bool = False
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def holds(self, server: str, request: web.Request) -> bool:
        if self.opened.is_set() or server != self.server:
            return False
        return not self.path or (request.method == "POST" and request.path.endswith(self.path))


@dataclass
class Proxy:
    """``ports`` by server name; ``writes`` since the last ``reset``; ``reads``: paths of GET requests."""

    upstreams: dict[str, tuple[str, ssl.SSLContext | None]]
    ports: dict[str, int] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    trap: Trap | None = None
    refuse: dict[str, int] = field(default_factory=dict)
    gate: Gate | None = None
    reads: list[str] = field(default_factory=list)

    def reset(self) -> None:
        self.writes.clear()
        self.trap = None

    def set(self, number: int, when: Literal["before", "after"], kill: Callable[[], None]) -> Trap:
        self.reset()
        self.trap = Trap(number, when, kill)
        return self.trap

    async def handle(self, server: str, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        if server in self.refuse:
            return web.Response(status=self.refuse[server], text="refused by the test")
        body = await request.read()
        if request.method == "GET":
            self.reads.append(request.path)
        if self.gate is not None and self.gate.holds(server, request):
            if self.gate.abort and request.transport is not None:
                request.transport.abort()
            self.gate.entered.set()
            await self.gate.opened.wait()
        trap = self._count(server, request)
        if trap is not None and trap.when == "before":
            self._spring(trap, request)
            return web.Response(status=502)
        base, context = self.upstreams[server]
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with session.request(
            request.method,
            # As it came: quoting it anew would break the signature of a store's request.
            yarl.URL(base + request.raw_path, encoded=True),
            headers=headers,
            data=body or None,
            ssl=context or True,
            allow_redirects=False,
            auto_decompress=False,
        ) as answer:
            if trap is not None:
                await answer.read()
                self._spring(trap, request)
                return web.Response(status=502)
            return await _relay(request, answer)

    def _count(self, server: str, request: web.Request) -> Trap | None:
        if request.method not in _WRITES:
            return None
        write = Write(len(self.writes) + 1, server, request.method, request.path)
        self.writes.append(write)
        trap = self.trap
        if trap is None or trap.sprung.is_set() or write.number != trap.number:
            return None
        trap.at = write
        return trap

    def _spring(self, trap: Trap, request: web.Request) -> None:
        trap.kill()
        trap.sprung.set()
        if request.transport is not None:
            request.transport.abort()


async def _relay(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP - {"content-encoding"}}
    response = web.StreamResponse(status=answer.status, headers=headers)
    if "Content-Length" in answer.headers and request.method != "HEAD":
        response.content_length = int(answer.headers["Content-Length"])
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (ConnectionError, aiohttp.ClientError):
        return response
    return response


@asynccontextmanager
async def running(upstreams: dict[str, tuple[str, ssl.SSLContext | None]]) -> AsyncIterator[Proxy]:
    """One loopback listener per upstream."""
    proxy = Proxy(upstreams)
    runners = []
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, skip_auto_headers=["User-Agent", "Accept", "Accept-Encoding"]
    ) as session:
        for name in upstreams:

            async def serve(request: web.Request, name: str = name) -> web.StreamResponse:
                return await proxy.handle(name, request, session)

            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{tail:.*}", serve)
            runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy.ports[name] = int(runner.addresses[0][1])
            runners.append(runner)
        try:
            yield proxy
        finally:
            for runner in runners:
                await runner.cleanup()
