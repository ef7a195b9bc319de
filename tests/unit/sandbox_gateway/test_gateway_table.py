"""What a request may know of routes, Services and endpoints."""

from __future__ import annotations

import asyncio

import pytest
from gateway_things import KEY, Json, behind, route, service, slice_of

from sklearn_sandbox.gateway import table


@pytest.mark.parametrize(
    ("conditions", "there"),
    [
        pytest.param({"ready": True}, True, id="ready"),
        pytest.param({}, True, id="nothing said means ready"),
        pytest.param({"ready": False}, False, id="not ready"),
        pytest.param({"ready": False, "terminating": True, "serving": True}, True, id="ends, but serves"),
        pytest.param({"ready": False, "terminating": True, "serving": False}, False, id="ends"),
    ],
)
def test_a_backend_has_an_address_while_somebody_would_answer_there(conditions: dict[str, bool], there: bool) -> None:
    known = table.Table()
    known.route_seen(route(("one", 90)))
    known.service_seen(service("one", "127.0.0.1:1"))
    known.slice_seen(slice_of("one", **conditions))
    assert known.backends(KEY) == [table.Backend("one", 90, "127.0.0.1:1" if there else None)]


def test_a_backend_without_service_or_address_or_endpoints_is_nobody() -> None:
    known = table.Table()
    known.route_seen(route(("unknown", 1), ("fresh", 1), ("empty", 1)))
    behind(known, "fresh", None)
    known.service_seen(service("empty", "127.0.0.1:1"))
    assert [one.address for one in known.backends(KEY)] == [None, None, None]


def test_what_is_gone_is_gone() -> None:
    known = table.Table()
    known.route_seen(route(("one", 1)))
    behind(known, "one", "127.0.0.1:1")
    known.slice_gone(slice_of("one"))
    assert known.backends(KEY)[0].address is None
    known.slice_seen(slice_of("one", ready=True))
    known.service_gone(service("one", None))
    assert known.backends(KEY)[0].address is None
    known.route_gone(route())
    assert known.backends(KEY) == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [({}, 60), ({"timeouts": {"request": "5s"}}, 5), ({"timeouts": {"request": "1m500ms"}}, 60.5)],
)
def test_the_time_a_request_may_take(rule: Json, expected: float) -> None:
    known = table.Table()
    known.route_seen(route(("one", 1), **rule))
    assert known.seconds(KEY) == expected


def test_a_time_of_zero_is_no_limit_as_the_gateway_api_has_it() -> None:
    known = table.Table()
    known.route_seen(route(("one", 1), timeouts={"request": "0s"}))
    assert known.seconds(KEY) is None


async def test_every_change_wakes_whoever_waits() -> None:
    known = table.Table()
    for change in (
        lambda: known.route_seen(route()),
        lambda: known.service_seen(service("one", None)),
        lambda: known.slice_seen(slice_of("one")),
        lambda: known.slice_gone(slice_of("one")),
        lambda: known.service_gone(service("one", None)),
        lambda: known.route_gone(route()),
    ):
        waiting = asyncio.ensure_future(known.until_changed())
        await asyncio.sleep(0)
        change()
        await asyncio.wait_for(waiting, 5)
