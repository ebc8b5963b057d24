"""One HTTP/1.1 connection: the lane or the application answers, in order, and each step has a deadline.

No thread waits for a caller: the application gets whole requests, and a caller that misses a deadline is disconnected.
Source: RFC 9112 (connections: section 9).
"""

import asyncio
from collections import deque

from serve.http.front import Front
from serve.http.reader import RequestReader
from serve.http.wsgi import Request, make_error

LINGER_SECONDS = 2.0  # in which a refused caller's bytes are thrown away, so that it gets to read the response
CUT_SHORT = (400, "the request ended early")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NEVER = float("inf")


class Connection(RequestReader, asyncio.Protocol):
    """Reads requests from one caller and writes the responses; `front` is shared by the connections of an address."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.deadline = NEVER
        self.closing = False
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._quiet_since = 0.0
        self._busy = False  # the application has a request of this connection
        self._paused = False  # the caller does not read
        self._owes_continue = False  # a 100 response, once the requests before are answered

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse a connection that is one too many."""
        self._transport = transport
        self.deadline = self.front.receive_by
        self._quiet_since = self.front.now
        self.front.connections.add(self)
        if len(self.front.connections) > self.front.settings.max_connections:
            self._refuse(503, "too many connections, try again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop everything, and later the response of a request that is being answered."""
        self.front.connections.discard(self)
        self.closing = True
        self._transport = None
        self._waiting.clear()
        self.forget()

    def data_received(self, data: bytes) -> None:
        """Read; bytes after a fault are thrown away."""
        if self.closing or self.fault:
            return
        self.read(data)
        if self.fault:
            self._go_on()

    def eof_received(self) -> bool:
        """Answer the whole requests of a caller that sends no more, refuse an incomplete one."""
        if (self._busy or self._waiting) and not self.closing:
            self.fault = self.fault or CUT_SHORT
            return self._transport.can_write_eof()  # with TLS it can't be closed in one direction
        if self.in_request and not self.closing:
            self._refuse(*CUT_SHORT)
        self._start_closing()
        return False

    def pause_writing(self) -> None:
        """Set a deadline for a caller that does not read its responses, and read nothing from it meanwhile."""
        self._paused = True
        self.deadline = self.front.now + self.front.settings.send_seconds
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on: the caller has read."""
        self._paused = False
        if not self.closing:
            self.deadline = NEVER if self._busy else self._receive_deadline()
            self._go_on()

    # Callbacks of the reader.

    def request_begins(self) -> None:
        """Set the deadline of the whole request."""
        self._owes_continue = False
        if not self._busy:
            self.deadline = self.front.receive_by

    def request_expects_continue(self) -> None:
        """Ask for the body, once the requests before it are answered."""
        self._owes_continue = self._busy or bool(self._waiting)
        if not self._owes_continue:
            self._transport.write(CONTINUE)

    def request_ends(self, request: Request) -> None:
        """Answer the request, or queue it behind the one that is being answered."""
        if self.closing:
            return
        if self._busy or self._paused:
            self._waiting.append(request)
            self._transport.pause_reading()  # so that only requests of one read are queued
        else:
            self._answer(request)

    # Responses.

    def _answer(self, request: Request) -> None:
        quick = self.front.short_cut(request)
        if quick is not None:
            self.release(len(request.body))
            self._send(b"HTTP/1.1 200 OK\r\n", quick, request.keep_alive)
        elif self.front.ask(request, self.answered):
            self._busy = True
            self.deadline = NEVER
        else:
            self._refuse(503, "too many requests are waiting, try again")

    def answered(self, request: Request, status: bytes, rest: bytes) -> None:
        """Send the application's response, then answer the next of the pipelined requests."""
        self._busy = False
        if self._transport is None or self.closing:
            return
        self.release(len(request.body))  # and not the bytes of the next request
        self._send(status, rest, request.keep_alive and not self.front.draining)
        self._go_on()

    def _go_on(self) -> None:
        """Answer the queued requests; then end after a fault, or read on."""
        while self._waiting and not (self._busy or self._paused or self.closing):
            self._answer(self._waiting.popleft())
        if self._busy or self._paused or self.closing:
            return
        if self.fault is CUT_SHORT and not self.in_request:
            self._end()
        elif self.fault:
            self._refuse(*self.fault)
        else:
            if self._owes_continue and self.in_request:
                self.request_expects_continue()
            self._transport.resume_reading()

    def _send(self, status: bytes, rest: bytes, keep_alive: bool) -> None:
        if keep_alive:
            self.deadline = self._receive_deadline()
            self._quiet_since = self.front.now
            self._transport.write(b"".join((status, self.front.date, rest)))
        else:
            self._transport.write(b"".join((status, self.front.date, b"Connection: close\r\n", rest)))
            self._end()

    def _receive_deadline(self) -> float:
        """Return until when the caller has to finish its request, or to begin one."""
        return self.front.receive_by if self.in_request else self.front.idle_until

    def _refuse(self, status: int, text: str) -> None:
        """Send an error instead of asking the application, and close."""
        self.fault = (status, text)
        self.release()
        self.front.rejected(status)
        self._send(*make_error(status, text), keep_alive=False)

    def _end(self) -> None:
        self._start_closing()
        # A refused caller may still send: closing now could reset the connection before it has read the response.
        if self.fault and self._transport.can_write_eof():
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    def _start_closing(self) -> None:
        self.closing = True
        self._waiting.clear()
        self.deadline = self.front.now + (self.front.settings.send_seconds if self._paused else LINGER_SECONDS)

    def expire(self) -> None:
        """End, since the deadline has passed: with 408 where a request had begun."""
        if self._transport is None:
            return
        if self.closing or self._paused:
            self.closing = True
            self._transport.abort()
        elif self.in_request:
            self._refuse(408, "the request did not come in time")
        else:
            self._end()

    def close_if_idle(self, seconds: float = 0.0) -> None:
        """End if no request has begun and none was answered for so many seconds."""
        idle = not (self._busy or self._waiting or self.in_request or self.closing)
        if self._transport and idle and self.front.now - self._quiet_since >= seconds:
            self._end()
