"""From bytes to whole requests: llhttp parses them; what is too large, ambiguous or not HTTP is a fault.

Source: RFC 9110 and RFC 9112 (message framing: sections 3.2, 6.1 and 6.3).
"""

import logging

import httptools

from serve.http.front import INTERNAL, Front
from serve.http.wsgi import Request

HEAD_BYTES = 32_768  # of request line and headers
HEADERS = 100
LINE_BYTES = 32  # counted for each header beside its text, so that many empty ones are too large as well
FRAMING = 8  # most bytes on the wire for one byte of a body: a chunk of a single byte takes six
VERSIONS = ("1.1", "1.0")
NOT_HTTP = (400, "not a valid HTTP request")
HEAD_TOO_LARGE = (431, f"too many headers, at most {HEADERS} of {HEAD_BYTES} bytes together are allowed")
NO_ROOM = (503, "too many bodies are being received, try again")
log = logging.getLogger(__name__)


class RequestReader:
    """Collects requests within the limits of `front`. After a `fault` (status, text) it reads nothing more.

    A subclass defines three callbacks: request_begins() at the first byte of a request, request_expects_continue()
    when the caller waits for a 100 response before it sends the body, request_ends(request) when it is whole.
    """

    def __init__(self, front: Front) -> None:
        self.front = front
        self.fault: tuple[int, str] | None = None
        self.in_request = False  # between the first byte of a request and its last
        self.held = 0  # bytes of bodies that came and are not answered yet
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = False
        self._received = 0  # bytes since the request began
        self._target = self._body = b""
        self._headers: dict[bytes, bytes] = {}
        self._size = self._limit = 0  # of the head, then of the body

    def read(self, data: bytes) -> None:
        """Parse bytes of the caller."""
        self._received += len(data)  # on_message_begin sets it to 0 where a request begins within these
        while data:
            piece, data = data, b""
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as err:
                if not self.fault:
                    data = self._head_without_upgrade() + piece[err.args[0] :]
                    self._parser = httptools.HttpRequestParser(self)  # after `close` the old one reads nothing more
            except httptools.HttpParserCallbackError as err:
                log.error("%s while a request was read", type(err.__context__).__name__)
                self.fault = self.fault or INTERNAL
            except httptools.HttpParserError:
                self.fault = self.fault or NOT_HTTP
        if self.in_request and not self.fault and self._received > HEAD_BYTES + FRAMING * self._limit:
            # Headers without end; or, in a body, too many small chunks, extensions or trailers.
            self.fault = HEAD_TOO_LARGE if self._in_head else self._too_large()

    def forget(self) -> None:
        """Drop what was read, and the parser, whose reference to this would be a cycle for the garbage collector."""
        self._parser = None
        self._body = b""
        self.release()

    def release(self, size: int | None = None) -> None:
        """Uncount one body of this size, or all of them."""
        size = self.held if size is None else size
        self.front.body_bytes -= size
        self.held -= size

    def _head_without_upgrade(self) -> bytes:
        """Return the head of this request without its offer of another protocol. Source: RFC 9110, section 7.8.

        Java's own client offers h2c with its first request, even one with a body, and expects a response.
        """
        lines = [b"%b: %b" % (name, value) for name, value in self._headers.items() if name != b"upgrade"]
        first = b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, self._version.encode())
        return b"\r\n".join([first, *lines, b"", b""])

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        """Start a new request."""
        self._target = self._body = b""
        self._headers = {}
        self._size = self._limit = self._received = 0
        self._in_head = self.in_request = True
        self.request_begins()

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url
        self._size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header, or a trailer, which is dropped."""
        headers = self._headers
        if not self._in_head or self.fault:
            return
        self._size += len(name) + len(value) + LINE_BYTES
        if self._size > HEAD_BYTES or len(headers) >= HEADERS:
            self.fault = HEAD_TOO_LARGE
            return
        name, value = name.lower(), value.rstrip(b" \t")  # as RFC 9110 (5.5) asks; the parser does not
        if name in headers:
            if name == b"host":
                self.fault = (400, "the header Host stands twice")
            value = headers[name] + b", " + value
        headers[name] = value

    def on_headers_complete(self) -> None:
        """Check the head, before the body is read."""
        self._in_head = False
        self._size = 0
        self._version = version = self._parser.get_http_version()
        self._limit = self.front.body_limit(self._target)
        if self.fault:
            return
        headers = self._headers
        if self._parser.should_upgrade():
            # The parser stops before the body; `read` goes on without the upgrade. There are no tunnels.
            self.fault = NOT_HTTP if self._parser.get_method() == b"CONNECT" else None
        elif version not in VERSIONS or (b"transfer-encoding" in headers and not self._is_chunked()):
            self.fault = NOT_HTTP
        elif b"host" not in headers and version == "1.1":
            self.fault = (400, "the header Host is missing")
        elif int(headers.get(b"content-length", b"").lstrip(b"0") or b"0") > self._limit:  # int takes 4,300 digits
            self.fault = self._too_large()
        elif b"expect" in headers and headers[b"expect"].lower() == b"100-continue" and version == "1.1":
            self.request_expects_continue()

    def _is_chunked(self) -> bool:
        """Whether the transfer encoding is the only one that all servers read alike: chunked, once, in HTTP/1.1."""
        return self._version == "1.1" and self._headers[b"transfer-encoding"].strip().lower() == b"chunked"

    def on_body(self, piece: bytes) -> None:
        """Collect the body up to its limit, and to the limit of all bodies together."""
        if self.fault:
            return
        size = len(piece)
        self._size += size
        self.held += size
        self.front.body_bytes += size
        if self._size > self._limit:
            self.fault = self._too_large()
        elif self.front.body_bytes > self.front.settings.max_buffered_bytes:
            self.fault = NO_ROOM
        elif not self._body:
            self._body = piece
        else:
            if type(self._body) is bytes:
                self._body = bytearray(self._body)
            self._body += piece
        if self.fault:
            self._body = b""

    def on_message_complete(self) -> None:
        """Hand the request on."""
        parser = self._parser
        if self.fault or parser.should_upgrade():
            return
        self.in_request = False
        keep_alive = parser.should_keep_alive() and not self.front.draining
        request = Request(parser.get_method(), self._target, self._headers, self._body, keep_alive, self._version)
        self._body = b""
        self.request_ends(request)

    def _too_large(self) -> tuple[int, str]:
        return 413, f"the body is too large, at most {self._limit} bytes are allowed"
