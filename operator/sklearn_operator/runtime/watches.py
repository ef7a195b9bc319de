"""The HTTP session that kopf watches through: it bounds what kopf must parse, and knows whether kopf still watches.

kopf reads events with Python's json, to which a manifest nested thousands deep is a RecursionError and the end of the
watch; and a watch of kopf's that ends with an error may leave the operator running and blind. Both are answered in
the one place that kopf lets its user provide: ``kopf.AiohttpSession``. From aiohttp this takes ``response_class``
(``start`` and ``json`` of it) and ``TraceConfig``.

Invariant: a kind counts as watched only while an HTTP exchange about it is under way, or ended a moment ago.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol, cast

import aiohttp
from aiohttp import connector as connectors

from sklearn_operator.backends import nesting

#: Longer than any pause that kopf makes between two attempts (``handlers.settings``).
PATIENCE = 30.0
#: Longer than kopf waits for a silent watch (its ``inactivity_timeout``); an exchange without end is no watch.
LONGEST_SILENCE = 100.0
_CHECK_EVERY = 2.0


class Blind(Exception):
    """Nothing watches a kind any more: events are lost, and only a new start helps."""


class Connection(Protocol):
    """What kopf's own logins find out (``kopf.ConnectionInfo``)."""

    @property
    def proxy_url(self) -> str | None: ...

    @property
    def trust_env(self) -> bool: ...

    def as_ssl_context(self) -> Any: ...

    def as_http_headers(self) -> dict[str, str]: ...


class Watches:
    """Who watches what, told by the exchanges of the session. ``paths``: where the watched kinds live."""

    def __init__(
        self,
        paths: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
        known: Callable[[str, Mapping[str, Any]], bool] = lambda path, raw: False,
        listed: Mapping[str, int] | None = None,
    ) -> None:
        """``known(path, object)``: kopf need not be told, for this state of the object would wake nobody.

        ``listed``: the revisions at which the paths were listed just before, so that kopf may watch from there on.
        """
        self._clock = clock
        self._known = known
        self._listed = dict(listed or {})
        self._attended = dict.fromkeys(paths, clock())
        self._asking: dict[str, float] = {}
        self._answers: dict[str, aiohttp.ClientResponse] = {}

    def session(self, connection: Connection) -> aiohttp.ClientSession:
        """A session for kopf with the credentials of ``connection``."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._started)
        trace.on_request_end.append(self._answered)
        trace.on_request_exception.append(self._failed)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=connection.as_ssl_context()),
            headers=connection.as_http_headers(),
            proxy=connection.proxy_url,
            trust_env=connection.trust_env,
            response_class=self._response_class(),
            trace_configs=[trace],
        )

    def _response_class(self) -> type[aiohttp.ClientResponse]:
        """kopf begins by listing what was listed just before, and takes a millisecond for each object."""
        path_of, known, listed = self._path, self._known, self._listed

        class Response(BoundedResponse):
            async def json(self, **options: Any) -> Any:
                path = path_of(self.url.path)
                if self.ok and path is not None and (revision := listed.pop(path, 0)) > 0:
                    await self.read()
                    return {"metadata": {"resourceVersion": str(revision)}, "items": []}  # the watch tells the rest
                document = await super().json(**options)
                if path is None or not isinstance(document, dict) or not isinstance(document.get("items"), list):
                    return document
                return {**document, "items": [raw for raw in document["items"] if not known(path, raw)]}

        return Response

    def unattended(self) -> list[str]:
        """The paths that nobody has asked about for too long."""
        now = self._clock()
        for path in self._attended:
            asked, answer = self._asking.get(path), self._answers.get(path)
            asking = asked is not None and now - asked <= LONGEST_SILENCE
            if asking or (answer is not None and not answer.closed):
                self._attended[path] = now
        return [path for path, moment in self._attended.items() if now - moment > PATIENCE]

    async def guard(self) -> None:
        """Runs for ever; raises Blind when a kind is not watched any more."""
        while True:
            await asyncio.sleep(_CHECK_EVERY)
            lost = self.unattended()
            if lost:
                raise Blind(f"nothing has watched {', '.join(lost)} for {PATIENCE:.0f} s")

    def _path(self, address: str) -> str | None:
        return next((path for path in self._attended if address.endswith(path)), None)

    async def _started(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestStartParams
    ) -> None:
        context.path = self._path(told.url.path)
        if context.path is not None:
            self._asking[context.path] = self._clock()

    async def _answered(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestEndParams
    ) -> None:
        if context.path is not None:
            self._asking.pop(context.path, None)
            self._attended[context.path] = self._clock()
            self._answers[context.path] = told.response

    async def _failed(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if context.path is not None:
            self._asking.pop(context.path, None)
            self._attended[context.path] = self._clock()


class BoundedResponse(aiohttp.ClientResponse):
    """An answer whose documents nest no deeper than ``nesting.LIMIT``, read as a whole or line by line."""

    async def start(self, connection: connectors.Connection) -> aiohttp.ClientResponse:
        await super().start(connection)
        if "watch" in self.url.query:
            self.content = cast(aiohttp.StreamReader, _BoundedLines(self.content))
        return self

    async def json(self, **_: Any) -> Any:
        content = await self.read()
        return nesting.loads(content, wrapping=2) if content.strip() else None


class _BoundedLines:
    """A stream of one document a line, handed on in whole lines."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        pending: list[bytes] = []
        async for chunk in self._stream.iter_chunked(size):
            head, newline, rest = chunk.rpartition(b"\n")
            if not newline:
                pending.append(chunk)
                continue
            lines = b"".join((*pending, head)).split(b"\n")
            pending = [rest] if rest else []
            yield b"".join(nesting.cut(line, nesting.LIMIT + 1) + b"\n" for line in lines)
        if pending:
            yield nesting.cut(b"".join(pending), nesting.LIMIT + 1)
