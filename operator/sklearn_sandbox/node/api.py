"""The API server, as the agent needs it: plain JSON over the official asynchronous client.

ApiError                the server answered and refused
├── NotFound            404
├── Conflict            409: somebody was faster, or the object is another one by now
└── Unreachable         no answer: nothing is known about the call's effect

Invariant: every call has a time limit, and no exception of the client leaves this module.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import orjson
from kubernetes.aio import client, config

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

TIMEOUT = 15.0
#: The server ends a watch after this long, and sends a bookmark about every minute.
WATCH_SECONDS = 300
WATCH_SILENCE = 90.0
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotFound(ApiError):
    pass


class Conflict(ApiError):
    pass


class Unreachable(ApiError):
    pass


class Api:
    def __init__(self, transport: client.ApiClient) -> None:
        self._transport = transport

    @property
    def server(self) -> str:
        """The address, as https://host:port."""
        return str(self._transport.configuration.host)

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        kind: str = "application/json",
        query: Query = (),
    ) -> Json:
        with _translated():
            answer = await self._send(method, path, body, kind, query, aiohttp.ClientTimeout(total=TIMEOUT))
            content = await answer.read()
        if not 200 <= answer.status <= 299:
            raise _refusal(answer.status, content)
        parsed: Json = orjson.loads(content)
        return parsed

    async def watch(self, path: str, query: Query) -> AsyncIterator[Json]:
        """Events of one watch until the server ends it."""
        flags = [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(WATCH_SECONDS))]
        limit = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=WATCH_SILENCE)
        with _translated():
            answer = await self._send("GET", path, None, "application/json", [*query, *flags], limit)
        response = answer.response
        try:
            if answer.status != 200:
                with _translated():
                    content = await answer.read()
                raise _refusal(answer.status, content)
            rest = b""
            while True:
                with _translated():
                    chunk = await response.content.readany()
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield orjson.loads(line)
        finally:
            response.close()

    async def _send(
        self, method: str, path: str, body: object, kind: str, query: Query, limit: aiohttp.ClientTimeout
    ) -> Any:  # the client has no types
        headers = {"Accept": "application/json", "Content-Type": kind}
        request = await self._transport.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        return await self._transport.call_api(*request, _request_timeout=limit)


@contextlib.asynccontextmanager
async def connect(kubeconfig: str) -> AsyncIterator[Api]:
    configuration = client.Configuration()
    await config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = 64
    async with client.ApiClient(configuration) as transport:
        yield Api(transport)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(0, f"the API server did not answer: {error or type(error).__name__}") from error


def _refusal(status: int, content: bytes) -> ApiError:
    try:
        message = str(orjson.loads(content)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        message = content[:200].decode(errors="replace")
    return {404: NotFound, 409: Conflict}.get(status, ApiError)(status, message)
