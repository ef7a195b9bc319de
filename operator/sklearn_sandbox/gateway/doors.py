"""A loopback port for each HTTPRoute, written on it, and its acceptance.

Invariant: a port stays the same for as long as its route lives, also across restarts of the gateway. A route that goes
takes no new requests; those that are under way are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Collection

import aiohttp
from aiohttp import web

from sklearn_sandbox import state
from sklearn_sandbox.gateway import activator, proxying, table
from sklearn_sandbox.node import api, ledger, proxy, tasks

CONTROLLER = "sklearn-operator.io/sandbox-gateway"
RETRY_SECONDS = 2.0
#: How long requests under way may take when their route, or the gateway, ends.
LAST_SECONDS = 8.0
_ENTRY = "http"
log = logging.getLogger(__name__)


class Doors:
    def __init__(
        self,
        server: api.Api,
        known: table.Table,
        kept: ledger.Ledger,
        session: aiohttp.ClientSession,
        scales: activator.Activator,
        reserved: Callable[[], Collection[int]],
    ) -> None:
        """`reserved`: ports that other parts of the sandbox have or will want."""
        self._api, self._table, self._ledger, self._session, self._reserved = server, known, kept, session, reserved
        self._activator = scales
        self._open: dict[table.Key, web.ServerRunner] = {}
        self._work: asyncio.Queue[table.Key] = asyncio.Queue()
        self._closing = tasks.Tasks()

    @property
    def ready(self) -> bool:
        return self._table.routes.keys() <= self._open.keys()

    def seen(self, route: api.Json) -> None:
        self._table.route_seen(route)
        self._work.put_nowait(table.key_of(route))

    def gone(self, route: api.Json) -> None:
        self._table.route_gone(route)
        self._work.put_nowait(table.key_of(route))

    def prune(self) -> None:
        """Forget the ports of routes that went while no gateway ran."""
        self._ledger.retain({"/".join(key) for key in self._table.routes})

    async def run(self) -> None:
        while True:
            key = await self._work.get()
            try:
                await self._settle(key)
            except (api.ApiError, OSError) as error:
                log.warning("route %s/%s: %s; again in %g s", *key, error, RETRY_SECONDS)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._work.put_nowait, key)

    async def close(self) -> None:
        await asyncio.gather(*(runner.cleanup() for runner in self._open.values()))
        await self._closing.stop()

    async def _settle(self, key: table.Key) -> None:
        route = self._table.routes.get(key)
        if route is None:
            self._ledger.forget(_entry(key))
            if runner := self._open.pop(key, None):
                self._closing.start(runner.cleanup(), f"the door of {'/'.join(key)}")
            return
        if key not in self._open:
            self._open[key] = await self._listen(key)
        with contextlib.suppress(api.NotFound, api.Conflict):  # the next event tells what is there now
            await self._annotate(route, f"{state.LOOPBACK}:{self._ledger.ports[_entry(key)]}")
            await self._accept(route)

    async def _listen(self, key: table.Key) -> web.ServerRunner:
        door = proxying.Door(key, self._table, self._session, self._activator)
        runner = web.ServerRunner(proxying.server(door), shutdown_timeout=LAST_SECONDS)
        await runner.setup()
        if (known := self._ledger.ports.get(_entry(key))) is not None:
            with contextlib.suppress(OSError):
                await web.TCPSite(runner, state.LOOPBACK, known).start()
                return runner
        port = state.free_port({*self._ledger.ports.values(), *self._reserved()})
        await web.TCPSite(runner, state.LOOPBACK, port).start()
        self._ledger.keep(_entry(key), port)
        return runner

    async def _annotate(self, route: api.Json, address: str) -> None:
        metadata = route["metadata"]
        if (metadata.get("annotations") or {}).get(proxy.ANNOTATION) != address:
            body = {"metadata": {"uid": metadata["uid"], "annotations": {proxy.ANNOTATION: address}}}
            await self._api.call("PATCH", _path(route), body, api.MERGE)

    async def _accept(self, route: api.Json) -> None:
        """Once for each generation: whoever reads it knows that these weights are in force."""
        metadata = route["metadata"]
        wanted = [_parent(parent, metadata["generation"]) for parent in route["spec"].get("parentRefs") or []]
        present = (route.get("status") or {}).get("parents") or []
        if wanted == [_timeless(parent) for parent in present]:
            return
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for condition in (condition for parent in wanted for condition in parent["conditions"]):
            condition["lastTransitionTime"] = _since(present, condition["type"]) or now
        body = {"metadata": {"uid": metadata["uid"]}, "status": {"parents": wanted}}
        await self._api.call("PATCH", f"{_path(route)}/status", body, api.MERGE)


def _parent(reference: api.Json, generation: int) -> api.Json:
    def true(kind: str, reason: str) -> api.Json:
        return {"type": kind, "status": "True", "reason": reason, "message": "", "observedGeneration": generation}

    conditions = [true("Accepted", "Accepted"), true("ResolvedRefs", "ResolvedRefs")]
    return {"controllerName": CONTROLLER, "parentRef": reference, "conditions": conditions}


def _timeless(parent: api.Json) -> api.Json:
    shown = [{key: one[key] for key in one if key != "lastTransitionTime"} for one in parent.get("conditions") or []]
    return {**parent, "conditions": shown}


def _since(parents: Collection[api.Json], kind: str) -> str | None:
    """These conditions are never anything but True."""
    told = (one for parent in parents for one in parent.get("conditions") or [] if one["type"] == kind)
    return next((str(one["lastTransitionTime"]) for one in told), None)


def _entry(key: table.Key) -> str:
    return "/".join([*key, _ENTRY])


def _path(route: api.Json) -> str:
    metadata = route["metadata"]
    return f"/apis/gateway.networking.k8s.io/v1/namespaces/{metadata['namespace']}/httproutes/{metadata['name']}"
