"""The TLS handshake of a connection, which has its place and its deadline from accept on."""

import asyncio
import ssl

from serve.http.connection import Connection
from serve.http.front import Front


class Handshake(asyncio.Protocol):
    """Begins TLS on an accepted connection, and then hands it over to a `Connection`."""

    def __init__(self, front: Front, context: ssl.SSLContext) -> None:
        self._front, self._context = front, context
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []  # came with the end of the handshake
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or disconnect: without TLS nothing can be said."""
        self._transport = transport
        self.deadline = self._front.receive_by
        if self._front.enter(self):
            self._front.half_sent[self] = None
            self._task = asyncio.get_running_loop().create_task(self._start())
        else:
            self._front.rejected(503)
            self.expire()

    async def _start(self) -> None:
        loop, seconds = asyncio.get_running_loop(), self._front.settings.receive_seconds
        try:
            transport = await loop.start_tls(
                self._transport, self, self._context, server_side=True, ssl_handshake_timeout=seconds
            )
        except OSError:  # the caller speaks no TLS, is too slow or has gone; ssl.SSLError is one too
            self.expire()
            return
        self._front.leave(self)
        connection = Connection(self._front)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if self._early:
            connection.data_received(b"".join(self._early))
        if self._has_ended and not connection.eof_received():
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Keep what comes before the connection is handed over."""
        self._early.append(data)

    def eof_received(self) -> bool:
        """Likewise."""
        self._has_ended = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._front.leave(self)

    def expire(self) -> None:
        """Disconnect, and free the place."""
        self._front.leave(self)
        self._transport.abort()

    def close_if_idle(self, seconds: float) -> None:
        """Go on: a handshake has a deadline of its own."""

    def give_way(self) -> bool:
        """Disconnect."""
        self._front.rejected(503)
        self.expire()
        return True
