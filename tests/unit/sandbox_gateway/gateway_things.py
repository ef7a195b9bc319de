"""Routes, Services and endpoints as the API server shows them, and servers that stand behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sklearn_sandbox.gateway import activator, proxying, table

Json = dict[str, Any]
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
KEY = ("default", "digits")


def route(*backends: tuple[str, int], **rule: Any) -> Json:
    refs = [{"kind": "Service", "name": name, "port": 80, "weight": weight} for name, weight in backends]
    metadata = {"name": "digits", "namespace": "default", "uid": "r"}
    return {"metadata": metadata, "spec": {"rules": [{"backendRefs": refs, **rule}]}}


def service(name: str, address: str | None, scales: str | None = None) -> Json:
    said = {"address": address, "scales": scales}
    notes = {f"sandbox.sklearn-operator.io/{key}": text for key, text in said.items() if text}
    return {"metadata": {"name": name, "namespace": "default", "uid": name, "annotations": notes}}


def slice_of(name: str, **conditions: bool) -> Json:
    labels = {"kubernetes.io/service-name": name}
    metadata = {"name": f"{name}-x", "namespace": "default", "uid": f"slice-{name}", "labels": labels}
    return {"metadata": metadata, "endpoints": [{"addresses": ["10.88.0.2"], "conditions": conditions}]}


def behind(known: table.Table, name: str, address: str | None) -> None:
    """A Service with somebody ready."""
    known.service_seen(service(name, address))
    known.slice_seen(slice_of(name, ready=True))


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """host:port of a server on loopback."""
    runner = web.ServerRunner(web.Server(handler, access_log=None, auto_decompress=False), shutdown_timeout=5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


class Scales:
    """In place of the API server: what Deployments were scaled to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def call(self, method: str, path: str, body: Json, kind: str) -> Json:
        self.asked.append((path.split("/")[-2], body["spec"]["replicas"]))
        return {}


@asynccontextmanager
async def opened(known: table.Table, scales: activator.Activator | None = None) -> AsyncIterator[str]:
    """The URL of the gateway's door for `KEY`."""
    scales = scales or activator.Activator(Scales(), known, 30, lambda: 0.0)
    async with proxying.client() as session:
        runner = web.ServerRunner(proxying.server(proxying.Door(KEY, known, session, scales)), shutdown_timeout=5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield "http://{}:{}".format(*runner.addresses[0])
        finally:
            await runner.cleanup()


def says(text: str) -> Handler:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=text)

    return answer
