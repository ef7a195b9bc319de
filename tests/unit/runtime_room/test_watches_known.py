"""What the cache holds is no news to kopf: a restart with many settled models does not go through all of them twice."""

from __future__ import annotations

from typing import Any

from aiohttp import test_utils, web

from sklearn_operator.core import observed
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import watches

PATH = "/apis/sklearn-operator.io/v1alpha1/sklearnmodels"
KEY = observed.ModelKey("default", "digits")


class Connection:
    proxy_url: str | None = None
    trust_env = False

    def as_ssl_context(self) -> Any:
        return True

    def as_http_headers(self) -> dict[str, str]:
        return {}


def model(version: int, name: str = "digits") -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name, "resourceVersion": str(version)}}


def test_this_state_and_earlier_ones_are_held_but_no_later_one() -> None:
    cache = caching.Cache()
    assert not cache.holds(caching.MODEL, KEY, model(7))
    cache.put(caching.MODEL, KEY, model(7))
    assert cache.holds(caching.MODEL, KEY, model(6))
    assert cache.holds(caching.MODEL, KEY, model(7))
    assert not cache.holds(caching.MODEL, KEY, model(8))
    assert not cache.holds(caching.VERSION, KEY, model(7))


async def test_a_listing_shows_kopf_only_what_is_new() -> None:
    def known(path: str, raw: Any) -> bool:
        return path == PATH and raw["metadata"]["name"] == "digits"

    async def listing(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"resourceVersion": "9"}, "items": [model(7), model(8, "iris")]})

    app = web.Application()
    app.add_routes([web.get(PATH, listing), web.get("/apis/elsewhere", listing)])
    async with test_utils.TestServer(app) as server, watches.Watches([PATH], known=known).session(Connection()) as http:
        async with http.get(server.make_url(PATH)) as answer:
            told = await answer.json()
        async with http.get(server.make_url("/apis/elsewhere")) as answer:
            others = await answer.json()
    assert told == {"metadata": {"resourceVersion": "9"}, "items": [model(8, "iris")]}
    assert len(others["items"]) == 2


async def test_the_first_listing_of_a_path_is_the_one_that_was_made_before() -> None:
    """No further chunk is asked for, and the watch begins where that listing was true: nothing is missed between."""

    async def listing(_: web.Request) -> web.Response:
        if (status := statuses.pop(0)) != 200:
            return web.json_response({"kind": "Status", "code": status}, status=status)
        return web.json_response({"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [model(8)]})

    statuses = [503, 200, 200]

    app = web.Application()
    app.add_routes([web.get(PATH, listing)])
    watched = watches.Watches([PATH], listed={PATH: 5})
    async with test_utils.TestServer(app) as server, watched.session(Connection()) as http:
        told = []
        for _ in range(3):
            async with http.get(server.make_url(PATH)) as answer:
                told.append(await answer.json())
    assert told[0]["code"] == 503
    assert told[1] == {"metadata": {"resourceVersion": "5"}, "items": []}
    assert told[2] == {"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [model(8)]}
