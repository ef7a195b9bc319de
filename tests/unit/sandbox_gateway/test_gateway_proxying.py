"""One door with real sockets: what reaches the backend, what reaches the client, and what happens when one goes."""

from __future__ import annotations

import asyncio
import collections
import gzip
import io
import socket

import aiohttp
import pytest
from aiohttp import web
from gateway_things import KEY, behind, opened, route, says, served, slice_of

from sklearn_sandbox import state
from sklearn_sandbox.gateway import proxying, table
from sklearn_sandbox.node import forwarding


def nowhere() -> str:
    """An address that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "{}:{}".format(*probe.getsockname())


async def test_requests_on_one_kept_connection_are_split() -> None:
    known = table.Table()
    known.route_seen(route(("stable", 75), ("canary", 25)))
    async with served(says("stable")) as one, served(says("canary")) as other, opened(known) as url:
        behind(known, "stable", one)
        behind(known, "canary", other)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            heard = collections.Counter([await (await session.get(url)).text() for _ in range(100)])
    assert heard == {"stable": 75, "canary": 25}


async def test_the_message_arrives_as_it_was_sent_both_ways() -> None:
    packed = gzip.compress(b"answer")
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.method, request.raw_path, await request.content.read(), dict(request.headers)))
        headers = {"X-Answer": "yes", "Content-Encoding": "gzip", "Connection": "close, x-hop", "X-Hop": "no"}
        return web.Response(status=418, reason="Teapot", body=packed, headers=headers)

    known = table.Table()
    known.route_seen(route(("one", 1)))
    async with served(answer) as address, opened(known) as url, aiohttp.ClientSession(auto_decompress=False) as session:
        behind(known, "one", address)
        sent = {"X-Asked": "ä", "Connection": "keep-alive, x-mine", "X-Mine": "no", "Content-Encoding": "gzip"}
        target = aiohttp.client.URL(f"{url}/v2/models/a%2Fb/infer?x=%20y", encoded=True)
        async with session.post(target, data=gzip.compress(b"question"), headers=sent) as heard:
            assert (heard.status, heard.reason, await heard.read()) == (418, "Teapot", packed)
            assert heard.headers["X-Answer"] == "yes"
            assert "X-Hop" not in heard.headers
    ((method, path, body, headers),) = seen
    assert (method, path, gzip.decompress(body)) == ("POST", "/v2/models/a%2Fb/infer?x=%20y", b"question")
    assert headers["Host"] == url.removeprefix("http://")
    assert headers["X-Asked"] == "ä"
    assert "X-Mine" not in headers


@pytest.mark.parametrize("length", [0, 1, proxying.SMALL, proxying.SMALL + 1, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_of_every_size(length: int, chunked: bool) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        return response

    known, sent = table.Table(), bytes(index % 251 for index in range(length))

    async def pieces() -> collections.abc.AsyncIterator[bytes]:
        for start in range(0, length, 100_000):
            yield sent[start : start + 100_000]

    known.route_seen(route(("one", 1)))
    async with served(echo) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "one", address)
        async with session.post(url, data=pieces() if chunked else io.BytesIO(sent), expect100=True) as heard:
            assert await heard.read() == sent


@pytest.mark.parametrize("method", ["HEAD", "GET", "DELETE", "OPTIONS", "POST"])
@pytest.mark.parametrize("status", [200, 204, 304])
async def test_answers_without_a_body(method: str, status: int) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status)

    known = table.Table()
    known.route_seen(route(("one", 1)))
    async with served(answer) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "one", address)
        for _ in range(2):
            async with session.request(method, url) as heard:
                assert (heard.status, await heard.read()) == (status, b"")


async def test_who_refuses_is_replaced_by_another_with_weight() -> None:
    known = table.Table()
    known.route_seen(route(("gone", 90), ("there", 10), ("dark", 0)))
    async with served(says("there")) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "gone", nowhere())
        behind(known, "there", address)
        behind(known, "dark", nowhere())
        for _ in range(20):
            async with session.post(url, data=b"x") as heard:
                assert (heard.status, await heard.text()) == (200, "there")


async def test_a_request_that_finds_nobody_waits_for_a_change() -> None:
    known = table.Table()
    known.route_seen(route(("one", 0), ("gone", 100)))
    async with served(says("one")) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "one", address)
        waiting = asyncio.ensure_future(session.get(url))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        known.route_seen(route(("one", 100)))
        async with await waiting as heard:
            assert await heard.text() == "one"


async def test_with_nobody_to_come_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxying, "HOLD_SECONDS", 0.2)
    known = table.Table()
    known.route_seen(route(("refuses", 1)))
    behind(known, "refuses", nowhere())
    async with opened(known) as url, aiohttp.ClientSession() as session:
        async with session.get(url) as heard:
            assert (heard.status, "no backend of HTTPRoute default/digits" in await heard.text()) == (503, True)
        known.slice_seen(slice_of("refuses", ready=False))
        async with session.get(url) as heard:
            assert heard.status == 503


async def test_a_request_under_way_ends_where_it_began() -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        began.set()
        await go.wait()
        return web.Response(text="old")

    known = table.Table()
    known.route_seen(route(("old", 1)))
    async with served(slow) as one, served(says("new")) as other, opened(known) as url:
        behind(known, "old", one)
        behind(known, "new", other)
        async with aiohttp.ClientSession() as session:
            under_way = asyncio.ensure_future(session.get(url))
            await began.wait()
            known.route_seen(route(("new", 1)))
            async with session.get(url) as heard:
                assert await heard.text() == "new"
            known.route_gone(route())
            go.set()
            async with await under_way as heard:
                assert await heard.text() == "old"


async def test_a_request_that_may_have_been_heard_is_not_sent_again() -> None:
    count = 0

    async def breaks(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal count
        count += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    known = table.Table()
    known.route_seen(route(("one", 1)))
    async with served(breaks) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "one", address)
        async with session.post(url, data=b"x") as heard:
            assert heard.status == 502
    assert count == 1


async def test_a_connection_that_is_reset_before_any_answer_was_not_heard_and_the_request_goes_elsewhere() -> None:
    """As the node agent's port of a Service does it when no pod is there."""
    forwarder, port, known = forwarding.Forwarder(), state.free_port(()), table.Table()
    await forwarder.listen(port)
    known.route_seen(route(("empty", 90), ("there", 10)))
    async with served(says("there")) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "empty", f"127.0.0.1:{port}")
        behind(known, "there", address)
        for _ in range(200):
            async with session.post(url, data=b"x") as heard:
                assert (heard.status, await heard.text()) == (200, "there")
    forwarder.close()


async def test_half_an_answer_does_not_look_like_a_whole_one() -> None:
    async def breaks(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    known = table.Table()
    known.route_seen(route(("one", 1)))
    async with served(breaks) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "one", address)
        with pytest.raises(aiohttp.ClientError):
            async with session.get(url) as heard:
                await heard.read()


async def test_a_backend_that_takes_too_long_is_told() -> None:
    go = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        await go.wait()
        return web.Response()

    known = table.Table()
    known.route_seen(route(("one", 1), timeouts={"request": "50ms"}))
    async with served(slow) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "one", address)
        async with session.get(url) as heard:
            assert heard.status == 504
        go.set()
    assert KEY in known.routes
