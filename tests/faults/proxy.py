"""A proxy between the operator and the three servers it writes to.

Every request passes through here. Requests that write are known by a label (server, method, path) and by how often that
label was passed on before; at chosen ones the operator is killed, either before the request is passed on or after the
server has carried it out and before the answer comes back. Nothing is imagined: the servers are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
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
    """``nth``: of those with the same label, counted from 1."""

    label: str
    nth: int

    def __str__(self) -> str:
        return f"{self.label} #{self.nth}"


@dataclass
class Trap:
    """Kill at this write, or at a later one of its label; before or after the server carries it out.

    A write that was not passed on is not counted: when it comes again, it has the same number.
    """

    write: Write
    when: Literal["before", "after"]
    sprung: bool = False

    def catches(self, write: Write) -> bool:
        return not self.sprung and write.label == self.write.label and write.nth >= self.write.nth


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


#: Of an event of a watch, by what is watched and its number: after how many seconds it comes, as often as it comes.
Delivery = Callable[[str, int], Sequence[float]]


@dataclass
class Proxy:
    """``ports`` by server name; ``writes`` passed on since the last ``arm``; ``reads``: paths of GET requests.

    ``delivery`` decides about each event of a watch; None: they come as they are. ``plain`` makes of a label what is
    the same in every life. ``killed`` is set when a trap has sprung; until it is
    cleared no other does, whatever the dead process has still under way. ``prefixes``: see ``running``. ``refuse``: by
    server, the status that it answers with, or ``garbage``, or nothing at all because it is ``away``. ``missing``:
    plurals that the API server is asked for under a name that it does not know.
    """

    upstreams: dict[str, tuple[str, ssl.SSLContext | None]]
    ports: dict[str, int] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    traps: list[Trap] = field(default_factory=list)
    kill: Callable[[], None] = lambda: None
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    plain: Callable[[str], str] = str
    refuse: dict[str, int | Literal["garbage", "away"]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    open: dict[str, set[asyncio.Transport]] = field(default_factory=lambda: defaultdict(set))
    gate: Gate | None = None
    delivery: Delivery | None = None
    reads: list[str] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=dict)

    def go_away(self, server: str) -> None:
        """No connection is left, and none is answered, until ``refuse`` says otherwise."""
        self.refuse[server] = "away"
        for transport in self.open.pop(server, set()):
            transport.abort()

    def arm(self, traps: list[Trap], kill: Callable[[], None]) -> None:
        self.writes.clear()
        self.killed.clear()
        self.traps, self.kill = traps, kill

    def kubeconfig(self, token: str = "") -> str:
        """The way to upstream ``kubernetes``; without a token, whoever takes it is who the proxy is."""
        user = {"token": token} if token else {}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{self.ports['kubernetes']}"}}],
            "users": [{"name": "proxy", "user": user}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy", "namespace": "default"}}],
        }
        return json.dumps(document)

    async def handle(self, server: str, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            self.open[server].add(transport)
            if self.refuse.get(server) == "away":
                transport.abort()
        refusal = self.refuse.get(server)
        if refusal is not None:
            status = refusal if isinstance(refusal, int) else 200
            return web.Response(status=status, text="<html>refused by the test</html>", content_type="text/html")
        prefix = self.prefixes.get(server, "")
        if not request.path.startswith(f"{prefix}/"):
            return web.Response(status=404, text="<html>nothing here</html>", content_type="text/html")
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
            self._spring(request)
            return web.Response(status=502)
        base, context = self.upstreams[server]
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with session.request(
            request.method,
            # As it came: quoting it anew would break the signature of a store's request.
            yarl.URL(base + self._renamed(request.raw_path.removeprefix(prefix)), encoded=True),
            headers=headers,
            data=body or None,
            ssl=context or True,
            allow_redirects=False,
            auto_decompress=False,
        ) as answer:
            if trap is not None:
                await answer.read()
                self._spring(request)
                return web.Response(status=502)
            if self.delivery is not None and "watch" in request.query and answer.status == 200:
                return await _deliver(request, answer, self.delivery)
            return await _relay(request, answer)

    def _renamed(self, path: str) -> str:
        for plural in self.missing:
            path = path.replace(f"/{plural}", f"/absent{plural}")
        return path

    def _count(self, server: str, request: web.Request) -> Trap | None:
        if request.method not in _WRITES:
            return None
        label = self.plain(f"{server} {request.method} {request.path}")
        write = Write(label, 1 + sum(one.label == label for one in self.writes))
        trap = next((trap for trap in self.traps if trap.catches(write)), None)
        if trap is not None and not self.killed.is_set():
            trap.sprung = True
        else:
            trap = None
        if trap is None or trap.when == "after":
            self.writes.append(write)
        return trap

    def _spring(self, request: web.Request) -> None:
        self.kill()
        self.killed.set()
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


async def _deliver(request: web.Request, answer: aiohttp.ClientResponse, delivery: Delivery) -> web.StreamResponse:
    """A watch whose events come late, in another order, more than once or never."""
    response = web.StreamResponse(status=200, headers={"Content-Type": "application/json"})
    await response.prepare(request)
    watched = request.path.rpartition("/")[2]

    async def send(line: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with contextlib.suppress(ConnectionError):
            await response.write(line)

    async with asyncio.TaskGroup() as sending:
        number = 0
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            async for line in answer.content:
                number += 1
                for seconds in delivery(watched, number):
                    sending.create_task(send(line, seconds))
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


@asynccontextmanager
async def running(
    upstreams: dict[str, tuple[str, ssl.SSLContext | None]], prefixes: dict[str, str] | None = None
) -> AsyncIterator[Proxy]:
    """One loopback listener per upstream. ``prefixes``: the path under which an upstream is found, by its name."""
    proxy = Proxy(upstreams, prefixes=prefixes or {})
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
