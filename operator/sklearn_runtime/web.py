"""The HTTP surface: predictions, health, metadata and metrics of one model, as a plain ASGI application.

It stands in for the request path of KServe's ``ModelServer`` with the same paths and error shape (``{"error": ...}``),
because that path costs more than the prediction. Invariant: every answer is JSON or metrics, a wrong request is a 4xx
that names what is wrong, and a traceback goes to the log alone.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.metadata
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from sklearn_runtime import errors, inference, metrics, v2

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Document = Callable[[], "Reply"]

log = logging.getLogger(__name__)

#: A request body above this many bytes is refused with 413 unless settings say otherwise.
MAX_BODY_BYTES = 32 * 1024 * 1024
#: Requests that may take longer than this leave the event loop, so that health probes are answered meanwhile.
INLINE_SECONDS = 0.005
INLINE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """One response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Application:
    """The ASGI application; ``draining`` says that this process is about to end."""

    def __init__(self, answers: inference.Inference, counted: metrics.Metrics, max_body: int = MAX_BODY_BYTES) -> None:
        self.draining = False
        self._metrics = counted
        self._max_body = max_body
        self._threads = concurrent.futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="predict")
        self._typical_seconds = 0.0
        served = answers.served
        one, two = f"/v1/models/{served.name}", f"/v2/models/{served.name}"
        versioned = f"{two}/versions/{served.version}"
        self._predictions: Mapping[str, inference.Answer] = {
            f"{one}:predict": answers.answer_v1,
            f"{two}/infer": answers.answer_v2,
            f"{versioned}/infer": answers.answer_v2,
        }
        described = orjson.dumps(v2.description(served.name, served.version, served.columns, served.outputs))
        ready = {"name": served.name, "ready": True}
        self._documents: Mapping[str, Document] = {
            "/": lambda: _json(200, {"status": "alive"}),
            "/metrics": lambda: Reply(200, counted.exposition(), metrics.CONTENT_TYPE),
            "/v1/models": lambda: _json(200, {"models": [served.name]}),
            one: lambda: self._if_ready(ready),
            "/v2": lambda: _json(200, _server()),
            "/v2/health/live": lambda: _json(200, {"live": True}),
            "/v2/health/ready": lambda: self._if_ready({"ready": True}),
            "/v2/models": lambda: _json(200, {"models": [served.name]}),
            two: lambda: Reply(200, described),
            f"{two}/ready": lambda: self._if_ready(ready),
            versioned: lambda: Reply(200, described),
            f"{versioned}/ready": lambda: self._if_ready(ready),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if (answer := self._predictions.get(path)) is not None:
            if method == "POST":
                await self._predict(answer, scope, receive, send)
            else:
                await self._send(send, _not_allowed("POST"))
        elif (document := self._documents.get(path)) is not None:
            await self._send(send, document() if method in ("GET", "HEAD") else _not_allowed("GET"))
        else:
            await self._send(send, _not_found(path))

    async def _predict(self, answer: inference.Answer, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive, self._max_body)
        if body is None:
            return  # the caller is gone
        start = time.perf_counter()
        reply = await self._answer(answer, scope, body)
        self._metrics.answered(reply.status, time.perf_counter() - start)
        await self._send(send, reply)

    async def _answer(self, answer: inference.Answer, scope: Scope, body: bytes) -> Reply:
        try:
            _check_headers(scope["headers"])
            if len(body) > self._max_body:
                raise errors.RequestError(f"the body is larger than {self._max_body} bytes", status=413)
            return Reply(200, await self._paced(answer, body))
        except errors.RequestError as exc:
            return _json(exc.status, {"error": str(exc)})
        except Exception:
            log.exception("a prediction failed")
            return _json(500, {"error": "the prediction failed inside the server; its log says why"})

    async def _paced(self, answer: inference.Answer, body: bytes) -> bytes:
        """Short work runs at once; large bodies, and models that proved slow, run on a thread."""
        if len(body) > INLINE_BYTES or self._typical_seconds > INLINE_SECONDS:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._timed, answer, body)
        return self._timed(answer, body)

    def _timed(self, answer: inference.Answer, body: bytes) -> bytes:
        start = time.perf_counter()
        try:
            return answer(body)
        finally:
            self._typical_seconds += 0.1 * (time.perf_counter() - start - self._typical_seconds)

    def _if_ready(self, document: Mapping[str, Any]) -> Reply:
        if self.draining:
            return _json(503, {"error": "this server is stopping"})
        return _json(200, document)

    async def _send(self, send: Send, reply: Reply) -> None:
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
            *reply.headers,
        ]
        if self.draining:
            headers.append((b"connection", b"close"))  # so that a kept connection moves on to another server
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or its beginning if it is over the limit: the rest is read and dropped, never kept."""
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        if size <= limit:
            parts.append(part)
        size += len(part)
    return b"".join(parts)


def _check_headers(headers: list[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        if name == b"content-encoding" and value not in (b"", b"identity"):
            raise errors.RequestError(f"content-encoding {value!r} is not supported; send plain JSON", status=415)
        if name == b"inference-header-content-length":
            raise errors.RequestError("binary tensors are not supported over HTTP; send JSON", status=415)


def _json(status: int, document: Mapping[str, Any]) -> Reply:
    return Reply(status, orjson.dumps(document))


def _not_allowed(method: str) -> Reply:
    body = orjson.dumps({"error": f"this path takes {method} only"})
    return Reply(405, body, headers=((b"allow", method.encode()),))


def _not_found(path: str) -> Reply:
    parts = path.split("/")
    if len(parts) > 3 and parts[1] in ("v1", "v2") and parts[2] == "models":
        name = parts[3].partition(":")[0]
        return _json(404, {"error": f"no such model, version or method: {errors.shown(name)} ({errors.shown(path)})"})
    return _json(404, {"error": f"no such path: {errors.shown(path)}"})


def _server() -> Mapping[str, Any]:
    return {"name": "sklearn-operator", "version": importlib.metadata.version("sklearn-operator"), "extensions": []}
