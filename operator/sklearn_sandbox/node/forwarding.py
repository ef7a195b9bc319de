"""TCP connections from one loopback port to the pods behind a Service.

A connection, once made, stays with its pod until one of the two closes it: a pod that ends answers what it was asked.
Invariant: bytes are passed on in order and never faster than the other side takes them. A client that is reset before
it got any of them was heard by nobody and may ask elsewhere; one whose pod is lost sees an orderly end instead.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence

from sklearn_sandbox import state
from sklearn_sandbox.node import endpoints

CONNECT_SECONDS = 2.0


class _Side(asyncio.Protocol):
    """One end of a forwarded connection; writes what it reads to its `peer`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None
        self._ended = self._heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            transport.pause_reading()  # until the two sides know each other

    def join(self, peer: _Side) -> None:
        self.peer, peer.peer = peer, self
        for side in (self, peer):
            if side.transport is not None and not side.transport.is_closing():
                side.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """True keeps the other direction open until it ends too."""
        self._ended = True
        peer = self.peer
        if peer is None or peer.transport is None or peer.transport.is_closing():
            return False
        if peer._ended:
            peer.transport.close()
            return False
        peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        peer, self.peer = self.peer, None
        if peer is not None and peer.transport is not None:
            if error is not None and self._heard:
                peer.transport.abort()  # half an answer must not look like a whole one
            else:
                peer.transport.close()


class _Accepted(_Side):
    """The client's end."""

    def __init__(self, dial: Callable[[_Accepted], None], lost: Callable[[_Accepted], None]) -> None:
        super().__init__()
        self._dial, self._lost = dial, lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._dial(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._lost(self)

    def reset(self) -> None:
        """Without its options an abort would end in an orderly way whenever nothing has been read yet."""
        if self.transport is not None and not self.transport.is_closing():
            plain: socket.socket = self.transport.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


class Forwarder:
    """One port of one Service."""

    def __init__(self) -> None:
        self.backends: Sequence[endpoints.Backend] = ()
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._dialling: set[asyncio.Task[bool]] = set()
        self._clients: set[_Accepted] = set()

    async def listen(self, port: int) -> None:
        """Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Accepted(self._start, self._clients.discard), state.LOOPBACK, port
        )

    def close(self) -> None:
        """No new connections; those that are made go on."""
        if self._server is not None:
            self._server.close()
        for task in self._dialling:
            task.cancel()

    @property
    def connections(self) -> int:
        return len(self._clients)

    def _start(self, client: _Accepted) -> None:
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._dialling.add(task)

        def dialled(done: asyncio.Task[bool]) -> None:
            self._dialling.discard(done)
            if done.cancelled() or not done.result():
                client.reset()

        task.add_done_callback(dialled)

    async def _connect(self, client: _Accepted) -> bool:
        """The next pod whose turn it is; when it does not answer, the one after it. False: nobody does."""
        loop, candidates = asyncio.get_running_loop(), list(self.backends)
        self._turn += 1
        for step in range(len(candidates)):
            chosen = candidates[(self._turn + step) % len(candidates)]
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    _, server = await loop.create_connection(_Side, chosen.host, chosen.port)
            except (OSError, TimeoutError):
                continue
            server.join(client)
            if client.transport is None or client.transport.is_closing():
                server.connection_lost(None)
                if server.transport is not None:
                    server.transport.close()
            return True
        return False
