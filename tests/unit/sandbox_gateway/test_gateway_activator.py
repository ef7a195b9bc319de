"""To zero and back, with a clock and a scale of the test's own."""

from __future__ import annotations

import asyncio

import aiohttp
from gateway_things import Scales, behind, opened, route, says, served, service, slice_of

from sklearn_sandbox.gateway import activator, table

DEPLOYMENT = ("default", "sleeper")


def sleeper(known: table.Table, address: str | None = "127.0.0.1:1", ready: bool = True) -> None:
    known.service_seen(service("one", address, "sleeper"))
    known.slice_seen(slice_of("one", ready=ready))


def test_who_is_asked_by_nobody_for_long_enough_is_idle() -> None:
    now, known = [0.0], table.Table()
    watched = activator.Activator(Scales(), known, 30, lambda: now[0])
    sleeper(known)
    behind(known, "never sleeps", "127.0.0.1:2")
    assert watched.idle() == []
    now[0] = 29.0
    with watched.using(DEPLOYMENT):
        now[0] = 100.0
        assert watched.idle() == [], "a request is under way"
    assert watched.idle() == []
    now[0] = 130.0
    assert watched.idle() == [DEPLOYMENT]


def test_the_time_begins_anew_when_it_wakes() -> None:
    now, known = [0.0], table.Table()
    watched = activator.Activator(Scales(), known, 30, lambda: now[0])
    sleeper(known, ready=False)
    assert watched.idle() == []
    now[0] = 100.0
    sleeper(known)
    assert watched.idle() == []
    now[0] = 130.0
    assert watched.idle() == [DEPLOYMENT]


async def test_many_requests_for_a_sleeper_wake_it_once_and_are_all_answered() -> None:
    scales, known = Scales(), table.Table()
    watched = activator.Activator(scales, known, 30, lambda: 0.0)
    known.route_seen(route(("one", 100)))
    async with served(says("awake")) as address, opened(known, watched) as url, aiohttp.ClientSession() as session:
        sleeper(known, address, ready=False)
        waiting = [asyncio.ensure_future(session.post(url, data=b"x")) for _ in range(5)]
        done, _ = await asyncio.wait(waiting, timeout=0.1)
        assert not done
        assert scales.asked == [("sleeper", 1)]
        sleeper(known, address)
        for one in waiting:
            async with await one as heard:
                assert await heard.text() == "awake"


async def test_a_request_that_waits_for_a_sleeper_goes_elsewhere_when_the_route_does() -> None:
    known = table.Table()
    known.route_seen(route(("one", 100)))
    sleeper(known, ready=False)
    async with served(says("other")) as address, opened(known) as url, aiohttp.ClientSession() as session:
        behind(known, "other", address)
        waiting = asyncio.ensure_future(session.get(url))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        known.route_seen(route(("other", 100)))
        async with await waiting as heard:
            assert await heard.text() == "other"
