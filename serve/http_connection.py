"""One HTTP/1.1 connection: llhttp parses it, the lane or the application answers, each step has a deadline and a bound.

Nothing waits for a caller: a body is complete before anyone looks at it, and who is slow loses the connection.
Source: RFC 9110 and RFC 9112 (message framing: sections 3.2, 6.1, 6.3, 9.3 and 9.6).
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

import httptools

from serve import strict_json

if TYPE_CHECKING:
    from serve.front import Front

HEAD_BYTES = 32_768  # of request line and headers
HEADERS = 100
LINE_BYTES = 32  # what a header costs beside its text: many empty ones are no small head
FRAMING = 8  # bytes on the wire for one of a body: a chunk of a single byte takes six
VERSIONS = ("1.1", "1.0")
LINGER_SECONDS = 2.0  # in which a refused caller's bytes are thrown away, so that it gets to read why
NOT_HTTP = (400, "not a valid HTTP request")
INTERNAL = (500, "internal error")
CUT_SHORT = (400, "the request ended early")
HEAD_TOO_LARGE = (431, f"too many headers, at most {HEADERS} of {HEAD_BYTES} bytes together are allowed")
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
log = logging.getLogger(__name__)


class Request:
    """A whole request: `headers` by lower-case name, `keep_alive` whether the connection outlives the answer."""

    __slots__ = ("body", "headers", "keep_alive", "method", "target", "version")

    def __init__(
        self, method: bytes, target: bytes, headers: dict[bytes, bytes], body: bytes, keep_alive: bool, version: str
    ) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.keep_alive, self.version = keep_alive, version


class Connection(asyncio.Protocol):
    """The caller's side of one connection; `front` is what all connections of a worker share."""

    __slots__ = (
        *("_body", "_busy", "_fault", "_front", "_headers", "_in_head", "_limit", "_parser", "_paused"),
        *("_received", "_size", "_target", "_transport", "_version", "_waiting", "closing", "deadline"),
    )

    def __init__(self, front: "Front") -> None:
        self._front = front
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._busy = self._in_head = self._paused = self.closing = False
        self._fault: tuple[int, str] | None = None  # refused: all that comes from now on is thrown away
        self._received = 0  # bytes since the request began
        self.deadline = NEVER
        self._forget()

    def _forget(self) -> None:
        self._target = self._body = b""
        self._headers: dict[bytes, bytes] = {}
        self._size = self._limit = 0  # of headers, then of the body; `_limit` is 0 outside a body

    @property
    def _in_request(self) -> bool:
        return self._in_head or self._limit > 0

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many already."""
        self._transport = transport
        self.deadline = self._front.now + self._front.settings.receive_seconds
        if not self._front.admit(self):
            self._refuse(503, "too many connections, try again")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything; an answer that comes later is dropped."""
        self._front.connections.discard(self)
        self.closing = True
        self._transport = self._parser = None  # the parser points back at this: a cycle, kept from the collector
        self._waiting.clear()
        self._body = b""

    def data_received(self, data: bytes) -> None:
        """Parse; a refused caller's bytes are thrown away."""
        if self.closing or self._fault:
            return
        self._received += len(data)  # the parser makes it 0 where a request begins within these
        while data:
            piece, data = data, b""
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as err:
                if not self._fault:
                    data = self._head_without_upgrade() + piece[err.args[0] :]
            except httptools.HttpParserCallbackError as err:
                log.error("%s while a request was read", type(err.__context__).__name__)
                self._fault = self._fault or INTERNAL
            except httptools.HttpParserError:
                self._fault = self._fault or NOT_HTTP
        if self._in_request and not self._fault and self._received > HEAD_BYTES + FRAMING * self._limit:
            # One header without end; or, in a body, chunks of nothing, extensions or trailers without end.
            self._fault = self._too_large() if self._limit else HEAD_TOO_LARGE
        if self._fault:
            self._go_on()

    def _head_without_upgrade(self) -> bytes:
        """Return the head of this request once more, for HTTP/1.1 alone. Source: RFC 9110, section 7.8.

        Java's own client asks for h2c with its first request, body or not, and expects to be answered.
        """
        lines = [b"%b: %b" % (name, value) for name, value in self._headers.items() if name != b"upgrade"]
        first = b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, self._version.encode())
        return b"\r\n".join([first, *lines, b"", b""])

    def eof_received(self) -> bool:
        """The caller will send no more: answer what is whole, refuse what is not."""
        if (self._busy or self._waiting) and not self.closing:
            self._fault = self._fault or CUT_SHORT
            return self._transport.can_write_eof()  # TLS has no half of a connection
        if self._in_request and not self.closing:
            self._refuse(*CUT_SHORT)
        self._closes()
        return False

    def pause_writing(self) -> None:
        """The caller does not read: give it time, and hear no more of it meanwhile."""
        self._paused = True
        self.deadline = self._front.now + self._front.settings.send_seconds
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The caller has read on."""
        self._paused = False
        if not self.closing:
            self.deadline = NEVER if self._busy else self._patience()
            self._go_on()

    # What the parser says.

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._forget()
        self._in_head = True
        self._received = 0
        if not self._busy:
            self.deadline = self._patience()

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url
        self._size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header, or a trailer, which is dropped."""
        headers = self._headers
        if not self._in_head or self._fault:
            return
        self._size += len(name) + len(value) + LINE_BYTES
        if self._size > HEAD_BYTES or len(headers) >= HEADERS:
            self._fault = HEAD_TOO_LARGE
            return
        name, value = name.lower(), value.rstrip(b" \t")  # the parser leaves what RFC 9110 (5.5) has taken off
        if name in headers:
            if name == b"host":
                self._fault = (400, "the header Host stands twice")
            value = headers[name] + b", " + value
        headers[name] = value

    def on_headers_complete(self) -> None:
        """Judge the head: whatever is refused now is refused without reading the body."""
        self._in_head = False
        self._size = 0
        self._version = version = self._parser.get_http_version()
        self._limit = self._front.body_limit(self._target)
        if self._fault:
            return
        headers = self._headers
        if self._parser.should_upgrade():
            # The parser says so without reading a body. A tunnel is none of ours; another protocol is ignored.
            self._fault = NOT_HTTP if self._parser.get_method() == b"CONNECT" else None
        elif version not in VERSIONS or not _is_framing(version, headers.get(b"transfer-encoding")):
            self._fault = NOT_HTTP
        elif b"host" not in headers and version == "1.1":
            self._fault = (400, "the header Host is missing")
        elif int(headers.get(b"content-length", b"0")) > self._limit:
            self._fault = self._too_large()
        elif headers.get(b"expect", b"").lower() == b"100-continue" and version == "1.1" and not self._busy:
            self._transport.write(CONTINUE)

    def on_body(self, piece: bytes) -> None:
        """Collect the body up to its limit."""
        if self._fault:
            return
        self._size += len(piece)
        if self._size > self._limit:
            self._body = b""
            self._fault = self._too_large()
        elif not self._body:
            self._body = piece
        else:
            if type(self._body) is bytes:
                self._body = bytearray(self._body)
            self._body += piece

    def on_message_complete(self) -> None:
        """The request is whole: answer it, or queue it behind the one that is being answered."""
        self._limit = self._size = 0
        parser = self._parser
        if self._fault or self.closing or parser.should_upgrade():
            return
        keep_alive = parser.should_keep_alive() and not self._front.draining
        request = Request(parser.get_method(), self._target, self._headers, self._body, keep_alive, self._version)
        self._body = b""
        if self._busy or self._paused:
            self._waiting.append(request)
            self._transport.pause_reading()  # so no more wait than came in one piece
        else:
            self._answer(request)

    # Answers.

    def _answer(self, request: Request) -> None:
        front = self._front
        answer = front.short_cut(request)
        if answer is not None:
            self._send(b"HTTP/1.1 200 OK\r\n", answer, request.keep_alive)
        elif front.ask(self, request):
            self._busy = True
            self.deadline = NEVER
        else:
            self._refuse(503, "too many requests are waiting, try again")

    def answered(self, request: Request, status: bytes, answer: bytes) -> None:
        """Send what the application said; then the next of the pipelined requests has its turn."""
        self._busy = False
        if self._transport is None or self.closing:
            return
        self._send(status, answer, request.keep_alive and not self._front.draining)
        self._go_on()

    def _go_on(self) -> None:
        """Answer what waits; then end if there was a fault, else hear more."""
        while self._waiting and not (self._busy or self._paused or self.closing):
            self._answer(self._waiting.popleft())
        if self._busy or self._paused or self.closing:
            return
        if self._fault is CUT_SHORT and not self._in_request:
            self._end()
        elif self._fault:
            self._refuse(*self._fault)
        else:
            self._transport.resume_reading()

    def _send(self, status: bytes, answer: bytes, keep_alive: bool) -> None:
        if keep_alive:
            self.deadline = self._patience()
            self._transport.write(b"".join((status, self._front.date, answer)))
        else:
            self._transport.write(b"".join((status, self._front.date, b"Connection: close\r\n", answer)))
            self._end()

    def _patience(self) -> float:
        """Return the deadline of what the caller has to do next."""
        settings = self._front.settings
        return self._front.now + (settings.receive_seconds if self._in_request else settings.idle_seconds)

    def _too_large(self) -> tuple[int, str]:
        return 413, f"the body is too large, at most {self._limit} bytes are allowed"

    def _refuse(self, status: int, text: str) -> None:
        """Answer what never reaches the application, and close."""
        self._fault = (status, text)
        self._front.observer.rejected(status)
        body = strict_json.dumps({"error": text})
        retry = "Retry-After: 1\r\n" if status == 503 else ""
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{retry}\r\n"
        self._send(f"HTTP/1.1 {status} {REASONS[status]}\r\n".encode(), head.encode() + body, keep_alive=False)

    def _end(self) -> None:
        self._closes()
        # Whoever is refused may still be sending: closing now could reset the connection before the answer is read.
        if self._fault and self._transport.can_write_eof():
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    def _closes(self) -> None:
        self.closing = True
        self._waiting.clear()
        self.deadline = self._front.now + (self._front.settings.send_seconds if self._paused else LINGER_SECONDS)

    def expire(self) -> None:
        """The deadline has passed: 408 where a request had begun, an end without words elsewhere."""
        if self._transport is None:
            return
        if self.closing or self._paused:
            self.closing = True
            self._transport.abort()
        elif self._in_request:
            self._refuse(408, "the request did not come in time")
        else:
            self._end()

    def drain(self) -> None:
        """The worker is about to end: close what is idle; the rest ends with its answer."""
        if self._transport and not (self._busy or self._waiting or self._in_request or self.closing):
            self._end()


def _is_framing(version: str, transfer_encoding: bytes | None) -> bool:
    """Tell whether a body is framed in the one way that all agree on: chunked, once, and not before HTTP/1.1."""
    return transfer_encoding is None or (version == "1.1" and transfer_encoding.strip().lower() == b"chunked")
