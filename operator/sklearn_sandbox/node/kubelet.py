"""The kubelet's HTTPS port, as far as `kubectl logs` needs it.

Invariant: logs may hold secrets, so only the API server is answered: its client certificate, from our own authority.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from sklearn_sandbox import pki, state
from sklearn_sandbox.node import pod

#: The name in the API server's client certificate.
CALLER = "kube-apiserver"
CHUNK = 64 * 1024
#: How often a followed log is looked at.
FOLLOW_SECONDS = 0.25
Find = Callable[[str, str], pod.Pod | None]


class Kubelet:
    def __init__(self, find: Find) -> None:
        self._find = find
        self._runner: web.AppRunner | None = None

    async def listen(self, port: int, pair: pki.Pair, authority: Path) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
        context.load_cert_chain(pair.certificate, pair.key)
        context.verify_mode = ssl.CERT_REQUIRED
        app = web.Application(middlewares=[_only_the_api_server])
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app.router.add_route("*", "/{rest:.*}", _unsupported)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, state.LOOPBACK, port, ssl_context=context).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        namespace, name, container = (request.match_info[key] for key in ("namespace", "pod", "container"))
        found = self._find(namespace, name)
        if found is None:
            raise web.HTTPNotFound(text=f'pod "{namespace}/{name}" does not run on this node')
        one = found.find(container)
        if one is None:
            raise web.HTTPBadRequest(text=f"container {container} is not valid for pod {name}")
        previous = request.query.get("previous") == "true"
        path = one.previous_log if previous else one.log
        if not path.exists():
            if previous:
                raise web.HTTPBadRequest(text=f'previous terminated container "{container}" in pod "{name}" not found')
            reason = one.state.waiting[0] if one.state.waiting else "ContainerCreating"
            raise web.HTTPBadRequest(text=f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        limit = int(request.query["limitBytes"]) if "limitBytes" in request.query else None
        follow = request.query.get("follow") == "true" and not previous
        lines = int(request.query["tailLines"]) if "tailLines" in request.query else None
        await _send(answer, path, lines, limit, (lambda: one.running) if follow else lambda: False)
        return answer


async def _send(
    answer: web.StreamResponse, path: Path, lines: int | None, limit: int | None, more: Callable[[], bool]
) -> None:
    """The log's end, and what is added for as long as `more` says so. A file that was set aside meanwhile ends it."""
    with path.open("rb") as stream:
        stream.seek(0 if lines is None else tail_offset(path, lines))
        left = limit
        while left is None or left > 0:
            expected = more()  # asked before reading: what was written before the end is still seen
            chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
            if chunk:
                await answer.write(chunk)
                left = None if left is None else left - len(chunk)
            elif not expected or not _same(path, stream.fileno()):
                return
            else:
                await asyncio.sleep(FOLLOW_SECONDS)


def _same(path: Path, handle: int) -> bool:
    """Whether the path still is the open file: a restart sets it aside."""
    return path.exists() and path.stat().st_ino == os.fstat(handle).st_ino


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines begin."""
    position = size = path.stat().st_size
    seen = 0
    with path.open("rb") as stream:
        while position > 0:
            step = min(CHUNK, position)
            position -= step
            stream.seek(position)
            chunk = stream.read(step)
            if position + step == size and chunk.endswith(b"\n"):
                chunk = chunk[:-1]
            for offset in range(len(chunk) - 1, -1, -1):
                if chunk[offset] == 10:
                    seen += 1
                    if seen == lines:
                        return position + offset + 1
    return 0 if lines > 0 else size


@web.middleware
async def _only_the_api_server(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
    names = {value for part in (certificate or {}).get("subject", ()) for key, value in part if key == "commonName"}
    if CALLER not in names:
        raise web.HTTPForbidden(text="this port answers the API server only")
    return await handler(request)


async def _unsupported(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotImplemented(text="this sandbox's node offers logs only: no exec, attach or port-forward")
