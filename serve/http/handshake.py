"""TLS connections: each has its place and its deadline from accept on, before it has begun to speak TLS."""

import asyncio
import socket
import ssl
from contextlib import suppress

from serve.http.connection import Connection
from serve.http.front import Front

ACCEPTED_AT_ONCE = 64  # in one turn of the loop


class TLSListener:
    """Accepts connections until it is closed."""

    def __init__(self, front: Front, context: ssl.SSLContext, listener: socket.socket) -> None:
        self._front, self._context, self._listener = front, context, listener
        listener.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, _ = self._listener.accept()
            except OSError:  # no more are waiting, or another worker was quicker
                return
            Handshake(self._front, self._context, accepted)


class Handshake:
    """Keeps the place of a connection until TLS has begun, and ends it without a word when it has to give way."""

    def __init__(self, front: Front, context: ssl.SSLContext, accepted: socket.socket) -> None:
        self._front, self._accepted = front, accepted
        self._connection = Connection(front)
        self.deadline, self.held = front.receive_by, 0
        if front.enter(self):
            front.half_sent[self] = None
            self._task = asyncio.get_running_loop().create_task(self._run(context))
        else:
            front.leave(self)
            front.rejected(503)
            accepted.close()

    async def _run(self, context: ssl.SSLContext) -> None:
        accepted, self._accepted = self._accepted, None
        loop, seconds = asyncio.get_running_loop(), self._front.settings.receive_seconds
        with suppress(OSError):  # the caller speaks no TLS, is too slow or has gone; ssl.SSLError is one too
            await loop.connect_accepted_socket(
                lambda: self._connection, accepted, ssl=context, ssl_handshake_timeout=seconds
            )
        self._front.leave(self)

    def expire(self) -> None:
        """Disconnect."""
        self._front.leave(self)
        self._task.cancel()
        if self._accepted:  # the task had not begun
            self._accepted.close()

    def refuse_body(self) -> None:
        """Go on: no body has begun to come."""

    def close_if_idle(self, seconds: float) -> None:
        """Go on: a handshake is never idle, and has a deadline."""

    def give_way(self) -> bool:
        """Free the place, and disconnect unless the connection has taken one of its own."""
        if self._connection in self._front.connections:
            self._front.leave(self)
        else:
            self._front.rejected(503)
            self.expire()
        return True
