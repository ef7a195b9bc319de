"""The one port: webhooks, health and faults, over TLS, because the API server speaks nothing else to webhooks.

Invariant: /healthz says yes only when a new InferenceService would be defaulted, judged and reconciled.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from sklearn_sandbox import pki
from sklearn_sandbox.kserve import admission, client, faults

HOST = "127.0.0.1"


def application(api: client.Client, misbehaviour: faults.Faults, ready: Callable[[], bool]) -> web.Application:
    async def default(request: web.Request) -> web.Response:
        return web.json_response(admission.default_service(await request.json()))

    async def validate(request: web.Request) -> web.Response:
        return web.json_response(admission.validate_service(await request.json()))

    async def mutate_pod(request: web.Request) -> web.Response:
        return web.json_response(await admission.mutate_pod(await request.json(), api))

    async def health(request: web.Request) -> web.Response:
        return web.Response(text="ok") if ready() else web.Response(text="starting", status=503)

    async def set_faults(request: web.Request) -> web.Response:
        """{"status": "late" | "never" | "twice" | null, "seconds": 2}"""
        try:
            asked = await request.json()
            misbehaviour.set(asked.get("status"), float(asked.get("seconds", 2.0)))
        except (json.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"status": misbehaviour.status, "seconds": misbehaviour.seconds})

    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.add_routes(
        [
            web.post(admission.MUTATE_SERVICE, default),
            web.post(admission.VALIDATE_SERVICE, validate),
            web.post(admission.MUTATE_POD, mutate_pod),
            web.get("/healthz", health),
            web.post("/sandbox/faults", set_faults),
        ]
    )
    return app


@asynccontextmanager
async def serving(app: web.Application, port: int, pair: pki.Pair) -> AsyncIterator[None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, ssl_context=context).start()
        yield
    finally:
        await runner.cleanup()
