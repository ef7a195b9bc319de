"""One request at the door of one route: who is asked, and what is passed on.

Every request goes out on a connection of its own. A kept connection could end at the very moment it is used again, and
then nobody can tell whether the request was heard. A new one that is refused was certainly not; nor was one that is
reset before any answer, because that is how the node agent says that no pod is there (`node.forwarding`).

Invariant: a request goes to another backend only if none has heard it, and it ends where it began, whatever happens to
weights, route and Service meanwhile. What broke off later is not sent again (but once, by the client underneath, where
the method is idempotent, as RFC 9110, 9.2.2 allows).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator

import aiohttp
import multidict
import yarl
from aiohttp import web

from sklearn_sandbox.gateway import activator, table, turns

#: How long a request that finds nobody waits for the route to change.
HOLD_SECONDS = 3.0
#: With every backend refusing, somebody may be about to listen again: looked at so often.
AGAIN_SECONDS = 0.1
CONNECT_SECONDS = 2.0
#: A body up to this size is sent in one piece with its head.
SMALL = 64 * 1024
LONGEST_LINE = 64 * 1024
#: What concerns one connection and not the message, by RFC 9110, 7.6.1. Expect was answered here.
_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect")
)
log = logging.getLogger(__name__)


class Nobody(Exception):
    """No backend could be asked."""


class Door:
    """What all requests to one route share. Called with a request, it answers."""

    def __init__(
        self, key: table.Key, known: table.Table, session: aiohttp.ClientSession, scales: activator.Activator
    ) -> None:
        self._key, self._table, self._session, self._activator = key, known, session, scales
        self._turns = turns.Turns()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._table.seconds(self._key)), contextlib.AsyncExitStack() as stack:
                answer = await self._ask(request, await _body(request), stack)
                await stack.enter_async_context(answer)
                return await _pass_on(request, answer)
        except Nobody:
            return _refusal(503, f"no backend of HTTPRoute {'/'.join(self._key)} is there")
        except TimeoutError:
            return _refusal(504, "the backend did not answer in time")
        except (aiohttp.ClientError, OSError) as error:
            log.warning("%s %s of %s/%s: %r", request.method, request.path, *self._key, error)
            return _refusal(502, "the backend broke off")

    async def _ask(
        self, request: web.BaseRequest, body: bytes | None, stack: contextlib.AsyncExitStack
    ) -> aiohttp.ClientResponse:
        """The head of the answer. A body that is not in one piece yet is sent as it comes."""
        patience = asyncio.get_running_loop().time() + HOLD_SECONDS
        refused: set[str] = set()
        while True:
            found = {one.name: one for one in self._table.backends(self._key)}
            gone = {one.name for one in found.values() if one.address is None and one.scales is None}
            chosen = self._turns.next({one.name: one.weight for one in found.values()}, gone | refused)
            if chosen is None:
                await self._change(patience, AGAIN_SECONDS if refused else None)
                refused.clear()
                continue
            if (scales := found[chosen].scales) is not None:
                stack.enter_context(self._activator.using(scales))
            if (address := await self._awake(chosen)) is None:
                continue
            try:
                return await self._session.request(
                    request.method,
                    yarl.URL(f"http://{address}{_target(request)}", encoded=True),
                    headers=_end_to_end(request.headers),
                    data=_stream(request) if body is None else body,
                    allow_redirects=False,
                )
            except (aiohttp.ClientError, OSError) as error:
                if not _unheard(error, replayable=body is not None):
                    raise
                refused.add(chosen)

    async def _awake(self, name: str) -> str | None:
        """The address of a backend, once it has one; None when the route no longer leads there."""
        while True:
            one = next((one for one in self._table.backends(self._key) if one.name == name), None)
            if one is None or one.address is not None or one.scales is None:
                return one.address if one is not None else None
            changed = asyncio.ensure_future(self._table.until_changed())
            try:
                await self._activator.wake(one.scales)
                await asyncio.wait({changed}, timeout=activator.AGAIN_SECONDS)
            finally:
                changed.cancel()

    async def _change(self, patience: float, again: float | None) -> None:
        left = patience - asyncio.get_running_loop().time()
        if left <= 0:
            raise Nobody
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left if again is None else min(left, again)):
                await self._table.until_changed()


def client() -> aiohttp.ClientSession:
    """Passes on what it is given, and adds nothing."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        auto_decompress=False,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


def server(door: Door) -> web.Server:
    return web.Server(
        door,
        access_log=None,
        auto_decompress=False,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


def _unheard(error: Exception, *, replayable: bool) -> bool:
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return True
    # Without a number: the connection was over before the body was written.
    reset = isinstance(error, OSError) and error.errno in (None, errno.ECONNRESET, errno.EPIPE)
    return replayable and reset


async def _body(request: web.BaseRequest) -> bytes | None:
    """None: too long to be kept. Whoever waits for leave to send it gets it."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    if not request.body_exists:
        return b""
    length = request.content_length
    return await request.read() if length is not None and length <= SMALL else None


async def _stream(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk


async def _pass_on(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except BaseException:
        # Half an answer must not look like a whole one.
        if request.transport is not None:
            request.transport.abort()
        raise
    return response


def _target(request: web.BaseRequest) -> str:
    """Path and query as the client wrote them; an absolute form without its host."""
    raw = request.raw_path
    return raw if raw.startswith("/") else yarl.URL(raw, encoded=True).raw_path_qs


def _end_to_end(headers: multidict.CIMultiDictProxy[str]) -> multidict.CIMultiDict[str]:
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    return multidict.CIMultiDict((name, text) for name, text in headers.items() if name.lower() not in _HOP | named)


def _refusal(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"sandbox gateway: {text}\n")
