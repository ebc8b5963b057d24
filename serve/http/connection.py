"""One HTTP/1.1 connection: the lane or the application answers, in order, and each step has a deadline.

No thread waits for a caller: the application gets whole requests, and a caller that misses a deadline is disconnected.
Source: RFC 9112 (connections: section 9).
"""

import asyncio

from serve.http.front import Front
from serve.http.head import END
from serve.http.listening import has_arrived
from serve.http.pieces import Pieces
from serve.http.reader import NO_ROOM
from serve.http.turns import LARGE_READ, TurnReader
from serve.http.wsgi import Request, make_error

LINGER_SECONDS = 2.0  # in which the bytes of a caller are thrown away after the last response, so that it can be read
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE, KEEP_ALIVE = b"Connection: close\r\n", b"Connection: keep-alive\r\n"
NEVER = float("inf")


class Connection(TurnReader, asyncio.Protocol):
    """Reads requests from one caller and writes the responses; `front` is shared by the connections of an address."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.deadline = NEVER
        self._quiet_since = 0.0

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse a connection that is one too many."""
        self._transport = transport
        self.deadline = self.front.receive_by
        self._quiet_since = self.front.now
        if not self.front.enter(self):
            self._refuse(503, "too many connections, try again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop everything, and later the response of a request that is being answered."""
        self.front.leave(self)
        self.closing = True
        self._transport = None
        self._leave_unread(0)
        self.forget()

    def data_received(self, data: bytes) -> None:
        """Answer at once what the front knows to the byte, else read; bytes after a fault are thrown away."""
        if len(data) >= LARGE_READ:
            self._read_later()
        if self.closing or self.fault:
            return
        if self._head or self._busy or self._paused or self.pieces.waiting or not self._answer_known(data):
            self.pieces.add(data)
            self._take_turn()

    def _answer_known(self, data: bytes) -> bool:
        """Answer one whole request with a known head, as reading it would; return False for all others."""
        front = self.front
        head = data[: data.find(END) + len(END)]
        known = front.heads.get(head)
        if known is None or len(data) != len(head) + known.size:
            return False
        if front.body_bytes + known.size > front.settings.max_buffered_bytes:
            return False
        rest = front.answer(known.answer, data[len(head) :])
        if rest is None:
            return False
        self.deadline = front.idle_until
        self._quiet_since = front.now
        self._transport.write(front.ok + rest)
        return True

    def eof_received(self) -> bool:
        """Answer the whole requests of a caller that sends no more, refuse an incomplete one."""
        self._ended = True
        if not (self.closing or self._busy or self._paused or self.pieces.waiting):
            self._take_turn()
        # True: responses can still be written; with TLS a connection can't be closed in one direction.
        return not self.closing and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Set a deadline for a caller that does not read its responses, and read nothing from it meanwhile."""
        self._paused = True
        self.deadline = self.front.now + self.front.settings.send_seconds
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on: the caller has read."""
        self._paused = False
        if not self.closing:
            self.deadline = NEVER if self._busy else self.front.receive_by if self.in_request else self.front.idle_until
            self._resume_reading()
            self._take_turn()

    # Callbacks of the reader.

    def request_begins(self) -> None:
        """Set the deadline of the whole request."""
        self.deadline = self.front.receive_by

    def request_expects_continue(self) -> None:
        """Ask for the body."""
        self._transport.write(CONTINUE)

    # Responses.

    def _answer(self, request: Request) -> None:
        self.front.half_sent.pop(self, None)
        quick = self.front.answer(request.answer, request.body) if request.answer else None
        if quick is not None:
            self.release()
            self._send(b"HTTP/1.1 200 OK\r\n", quick, request.keep_alive, request.version)
        elif self.front.ask(request, self.answered):
            self._busy = True
            self.deadline = NEVER
        else:
            self._refuse(503, "too many requests are waiting, try again")

    def answered(self, request: Request, status: bytes, rest: bytes) -> None:
        """Send the application's response, then go on with what came meanwhile."""
        self._busy = False
        if self._transport is None or self.closing:
            return
        self.release()
        self._send(status, rest, request.keep_alive, request.version)
        if not self.closing:
            self._take_turn()

    def _send(self, status: bytes, rest: bytes, keep_alive: bool, version: str = "1.1") -> None:
        keep_alive = keep_alive and not self.front.draining
        self.deadline = self.front.idle_until
        self._quiet_since = self.front.now
        persistence = CLOSE if not keep_alive else KEEP_ALIVE if version == "1.0" else b""
        self._transport.write(b"".join((status, self.front.date, persistence, rest)))
        if not keep_alive:
            self._end()

    def _refuse(self, status: int, text: str) -> None:
        """Send an error instead of asking the application, and close."""
        self.fault = (status, text)
        self.release()
        self.front.rejected(status)
        line, rest = make_error(status, text)
        if self.is_head_request:
            rest = rest[: rest.index(END) + len(END)]
        self._send(line, rest, keep_alive=False)

    def _end(self) -> None:
        """Close: the caller may still send, and closing at once could reset the connection before it has read."""
        self.closing = True
        self._leave_unread(0)
        self.pieces = Pieces()
        self.deadline = self.front.now + (self.front.settings.send_seconds if self._paused else LINGER_SECONDS)
        if self._transport.can_write_eof() and not self._ended:
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    # Ends that the front asks for.

    def expire(self) -> None:
        """End, since the deadline has passed: with 408 where a request had begun."""
        if self._transport is None:
            return
        if self.closing or self._paused:
            self._disconnect()
        elif self.in_request:
            self._refuse(408, "the request did not come in time")
        else:
            self._end()

    def close_if_idle(self, seconds: float) -> None:
        """End if no request has begun or arrived and none was answered for so many seconds."""
        began = self._busy or self.pieces.waiting or self.in_request or self.closing or not self._transport
        if not began and self.front.now - self._quiet_since >= seconds and not has_arrived(self._transport):
            self._end()

    def refuse_body(self) -> None:
        """Refuse the request whose body is coming: there is no room for it."""
        self._refuse(*NO_ROOM)

    def give_way(self) -> bool:
        """Disconnect unless a request is being answered."""
        if self._busy or self._transport is None:
            return False
        self.front.rejected(503)
        self._disconnect()
        return True

    def _disconnect(self) -> None:
        self.closing = True
        self.front.leave(self)
        self._transport.abort()
