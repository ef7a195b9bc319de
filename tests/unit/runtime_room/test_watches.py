"""The session that kopf watches through: depth is cut before kopf parses, and a dead watch is noticed."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import prometheus_client as prometheus
import pytest
from aiohttp import web

from sklearn_operator.runtime import health, watches
from sklearn_operator.runtime.metrics import Metrics

PATH = "/apis/x/v1/things"
DEEP = '{"a":' * 10_000 + "1" + "}" * 10_000


class Connection:
    proxy_url: str | None = None
    trust_env = False

    def as_ssl_context(self) -> Any:
        return ssl.create_default_context()

    def as_http_headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer token"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def served(lines: list[bytes], status: int = 200, until: asyncio.Event | None = None) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if status != 200:
            return web.json_response({"message": "no"}, status=status)
        if "watch" not in request.query:
            return web.Response(body=lines[0], content_type="application/json")
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        if until is not None:
            await until.wait()
        return response

    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


async def test_events_reach_kopf_whole_and_no_deeper_than_it_can_read() -> None:
    event = '{"type":"ADDED","object":%s}\n'
    stream = (event % DEEP + event % '{"b":"[{"}').encode()
    middle = len(stream) // 2
    guard = watches.Watches([PATH])
    async with served([stream[:middle], stream[middle:]]) as url, guard.session(Connection()) as session:
        async with session.get(url, params={"watch": "true"}) as answer:
            text = b"".join([chunk async for chunk in answer.content.iter_chunked(1024)])
    first, second = map(json.loads, text.splitlines())
    assert first["type"] == "ADDED"
    assert second["object"] == {"b": "[{"}


async def test_a_listing_with_a_poisoned_object_is_read() -> None:
    listing = f'{{"items":[{DEEP},{{"good":1}}]}}'
    async with served([listing.encode()]) as url, watches.Watches([PATH]).session(Connection()) as session:
        async with session.get(url) as answer:
            assert (await answer.json())["items"][1] == {"good": 1}


async def test_a_kind_is_watched_while_an_exchange_is_open_and_for_a_moment_after() -> None:
    clock = Clock()
    guard = watches.Watches([PATH, "/apis/x/v1/others"], clock)
    until = asyncio.Event()
    async with served([b"{}\n"], until=until) as url, guard.session(Connection()) as session:
        async with session.get(url, params={"watch": "true"}) as answer:
            clock.now = watches.PATIENCE + 1
            assert guard.unattended() == ["/apis/x/v1/others"]
            until.set()
            await answer.read()
        clock.now += watches.PATIENCE
        assert PATH not in guard.unattended()
        clock.now += 1
        assert PATH in guard.unattended()


async def test_refused_and_failed_attempts_count_only_for_a_moment() -> None:
    clock = Clock()
    guard = watches.Watches([PATH], clock)
    async with served([], status=400) as url, guard.session(Connection()) as session:
        async with session.get(url) as answer:
            await answer.read()
        clock.now = watches.PATIENCE + 1
        assert guard.unattended() == [PATH]
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://127.0.0.1:9{PATH}")
        assert guard.unattended() == []


async def test_the_probes_tell_a_stuck_pass_and_a_start() -> None:
    longest = 0.0
    state = health.State(longest_pass=lambda: longest)
    async with health.serving("127.0.0.1", 0, state, Metrics()) as port, aiohttp.ClientSession() as session:

        async def status(name: str) -> int:
            async with session.get(f"http://127.0.0.1:{port}/{name}") as answer:
                return answer.status

        assert [await status("livez"), await status("readyz")] == [200, 503]
        state.ready = True
        assert await status("readyz") == 200
        longest = health.STUCK_AFTER + 1
        assert await status("livez") == 503
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.headers["Content-Type"] == prometheus.CONTENT_TYPE_LATEST
