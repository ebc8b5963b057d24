"""One HTTP/1.1 connection: the lane or the application answers, in order, and each step has a deadline.

Nothing waits for a caller: a body is complete before anyone looks at it, and who is slow loses the connection.
Source: RFC 9112 (connections: section 9).
"""

import asyncio
from collections import deque
from typing import Protocol

from serve import strict_json
from serve.http.request import Bounds, Request, RequestReader

QUIET_SECONDS = 2.0  # that a connection may be silent where many want its place
LINGER_SECONDS = 2.0  # in which a refused caller's bytes are thrown away, so that it gets to read why
CUT_SHORT = (400, "the request ended early")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NEVER = float("inf")
REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Shared(Bounds, Protocol):
    """What the connections of a worker share; times are of the loop's clock."""

    connections: set["Connection"]
    now: float
    receive_by: float
    idle_until: float
    date: bytes

    def admit(self, connection: "Connection", /) -> bool:
        """Count a connection in; False when it is one too many."""

    def rejected(self, status: int, /) -> None:
        """Count a request that reaches no route."""

    def short_cut(self, request: Request, /) -> bytes | None:
        """Return headers and body of a 200 response, or None: the application has to answer."""

    def ask(self, connection: "Connection", request: Request, /) -> bool:
        """Have the application answer through `Connection.answered`; False when too many requests wait already."""


class Connection(RequestReader, asyncio.Protocol):
    """The caller's side of one connection; `front` is what all connections of a worker share."""

    def __init__(self, front: Shared) -> None:
        super().__init__(front)
        self.front = front
        self.deadline = NEVER
        self.closing = False
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._quiet_since = 0.0
        self._busy = False  # the application has a request of this connection
        self._paused = False  # the caller does not read
        self._owes_continue = False  # the caller was not told to send its body, as others had to be answered first

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many already."""
        self._transport = transport
        self.deadline = self.front.receive_by
        self._quiet_since = self.front.now
        if not self.front.admit(self):
            self._refuse(503, "too many connections, try again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything; an answer that comes later is dropped."""
        self.front.connections.discard(self)
        self.closing = True
        self._transport = None
        self._waiting.clear()
        self.forget()

    def data_received(self, data: bytes) -> None:
        """Read; a refused caller's bytes are thrown away."""
        if self.closing or self.fault:
            return
        self.read(data)
        if self.fault:
            self._go_on()

    def eof_received(self) -> bool:
        """The caller will send no more: answer what is whole, refuse what is not."""
        if (self._busy or self._waiting) and not self.closing:
            self.fault = self.fault or CUT_SHORT
            return self._transport.can_write_eof()  # TLS has no half of a connection
        if self.in_request and not self.closing:
            self._refuse(*CUT_SHORT)
        self._closes()
        return False

    def pause_writing(self) -> None:
        """The caller does not read: give it time, and hear no more of it meanwhile."""
        self._paused = True
        self.deadline = self.front.now + self.front.settings.send_seconds
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The caller has read on."""
        self._paused = False
        if not self.closing:
            self.deadline = NEVER if self._busy else self._patience()
            self._go_on()

    # What the reader says.

    def begun(self) -> None:
        """A request has to come in time."""
        self._owes_continue = False
        if not self._busy:
            self.deadline = self.front.receive_by

    def expects(self) -> None:
        """Have the body sent, once what came before it is answered."""
        self._owes_continue = self._busy or bool(self._waiting)
        if not self._owes_continue:
            self._transport.write(CONTINUE)

    def whole(self, request: Request) -> None:
        """Answer the request, or queue it behind the one that is being answered."""
        if self.closing:
            return
        if self._busy or self._paused:
            self._waiting.append(request)
            self._transport.pause_reading()  # so no more wait than came in one piece
        else:
            self._answer(request)

    # Answers.

    def _answer(self, request: Request) -> None:
        answer = self.front.short_cut(request)
        if answer is not None:
            self.release(len(request.body))
            self._send(b"HTTP/1.1 200 OK\r\n", answer, request.keep_alive)
        elif self.front.ask(self, request):
            self._busy = True
            self.deadline = NEVER
        else:
            self._refuse(503, "too many requests are waiting, try again")

    def answered(self, request: Request, status: bytes, answer: bytes) -> None:
        """Send what the application said; then the next of the pipelined requests has its turn."""
        self._busy = False
        if self._transport is None or self.closing:
            return
        self.release(len(request.body))  # not what came meanwhile for the next
        self._send(status, answer, request.keep_alive and not self.front.draining)
        self._go_on()

    def _go_on(self) -> None:
        """Answer what waits; then end if there was a fault, else hear more."""
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
                self.expects()
            self._transport.resume_reading()

    def _send(self, status: bytes, answer: bytes, keep_alive: bool) -> None:
        if keep_alive:
            self.deadline = self._patience()
            self._quiet_since = self.front.now
            self._transport.write(b"".join((status, self.front.date, answer)))
        else:
            self._transport.write(b"".join((status, self.front.date, b"Connection: close\r\n", answer)))
            self._end()

    def _patience(self) -> float:
        """Return the deadline of what the caller has to do next."""
        return self.front.receive_by if self.in_request else self.front.idle_until

    def _refuse(self, status: int, text: str) -> None:
        """Answer what never reaches the application, and close."""
        self.fault = (status, text)
        self.release()
        self.front.rejected(status)
        body = strict_json.dumps({"error": text})
        retry = "Retry-After: 1\r\n" if status == 503 else ""
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{retry}\r\n"
        self._send(f"HTTP/1.1 {status} {REASONS[status]}\r\n".encode(), head.encode() + body, keep_alive=False)

    def _end(self) -> None:
        self._closes()
        # Whoever is refused may still be sending: closing now could reset the connection before the answer is read.
        if self.fault and self._transport.can_write_eof():
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    def _closes(self) -> None:
        self.closing = True
        self._waiting.clear()
        self.deadline = self.front.now + (self.front.settings.send_seconds if self._paused else LINGER_SECONDS)

    def expire(self) -> None:
        """The deadline has passed: 408 where a request had begun, an end without words elsewhere."""
        if self._transport is None:
            return
        if self.closing or self._paused:
            self.closing = True
            self._transport.abort()
        elif self.in_request:
            self._refuse(408, "the request did not come in time")
        else:
            self._end()

    def drain(self) -> None:
        """The worker is about to end: close what is idle; the rest ends with its answer."""
        if self._is_idle():
            self._end()

    def make_room(self) -> None:
        """Nearly all places are taken: leave if nothing was said here for a while."""
        if self._is_idle() and self.front.now - self._quiet_since > QUIET_SECONDS:
            self._end()

    def _is_idle(self) -> bool:
        return bool(self._transport) and not (self._busy or self._waiting or self.in_request or self.closing)
