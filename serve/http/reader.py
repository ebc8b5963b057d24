"""From bytes to whole requests: llhttp parses them; what is too large, ambiguous or not HTTP is a fault.

Source: RFC 9110 and RFC 9112 (message framing: sections 3.2, 6.1 and 6.3).
"""

import io
import logging

import httptools

from serve.http.front import INTERNAL, Front, KnownHead
from serve.http.head import END, NOT_HTTP, drop_empty_lines, find_fault, origin_form, without_tab, without_upgrade
from serve.http.pieces import Pieces
from serve.http.wsgi import Request

HEAD_BYTES = 32_768  # of request line and headers
HEADERS = 100
LINE_BYTES = 32  # counted for each header beside its text, so that many empty ones are too large as well
FRAMING = 8  # most bytes on the wire for one byte of a body: a chunk of a single byte takes six
HEAD_TOO_LARGE = (431, f"too many headers, at most {HEADERS} of {HEAD_BYTES} bytes together are allowed")
NO_ROOM = (503, "too many bodies are being received, try again")
log = logging.getLogger(__name__)


class RequestReader:
    """Reads requests within the limits of `front`. After a `fault` (status, text) it reads nothing more.

    A subclass defines two callbacks: request_begins() at the first byte of a request, and request_expects_continue()
    when the caller waits for a 100 response before it sends the body.
    """

    def __init__(self, front: Front) -> None:
        self.front = front
        self.fault: tuple[int, str] | None = None
        self.in_request = False  # between the first byte of a request and its last
        self.pieces = Pieces()
        self.held = 0  # bytes of bodies that came and are not answered yet
        self._request: Request | None = None  # complete with the body that is being read
        self._whole: Request | None = None
        self._head_piece = b""
        self._start()

    def _start(self) -> None:
        """Begin with a new parser."""
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = False
        self._received = 0  # bytes since the request began
        self._head = bytearray()
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | io.BytesIO = b""
        self._size = self._limit = 0  # of the head, then of the body

    def read(self) -> Request | None:
        """Parse the next piece of what came; return the request that ends with it."""
        piece = self.pieces.take()
        self._head_piece = b"" if self._head else piece
        if not self.in_request or self._in_head:
            self._head += piece
        self._received += len(piece)  # on_message_begin sets it to 0 where a request begins with this piece
        if self.pieces.announced > self._limit and self.in_request and not self._in_head:
            self.fault = self._too_large()
            return None
        self._parse(piece)
        if self.in_request and not self.fault and self._received > HEAD_BYTES + FRAMING * self._limit:
            # Headers without end; or, in a body, too many small chunks, extensions or trailers.
            self.fault = HEAD_TOO_LARGE if self._in_head else self._too_large()
        if self._whole:
            self._head.clear()
        elif not self.in_request:
            self._skip_empty_lines()
        request, self._whole = self._whole, None
        return None if self.fault else request

    def _skip_empty_lines(self) -> None:
        """Forget whole ones. Of another line end two bytes stay: the request behind it is refused however it comes."""
        self._head[:] = drop_empty_lines(b"", self._head)[:2]

    def _parse(self, piece: bytes) -> None:
        again = None
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # The parser stops before the body: there are no tunnels, so it goes on without the upgrade.
            if not (self.fault or self._whole):
                parser = self._parser
                line = (parser.get_method(), self._target, parser.get_http_version())
                again = without_upgrade(*line, self._headers)
        except httptools.HttpParserCallbackError as err:
            log.error("%s while a request was read", type(err.__context__).__name__)
            self.fault = self.fault or INTERNAL
        except httptools.HttpParserError:
            again = None if self.fault else without_tab(bytes(self._head))
            self.fault = self.fault or (None if again else NOT_HTTP)
        if again:
            self._head[:], self._head_piece = again, b""  # what the parser did not accept as it came is not known
            self._parser = httptools.HttpRequestParser(self)  # after `close` or an error the old one reads nothing more
            self._parse(again)

    def forget(self) -> None:
        """Drop what was read, and the parser, whose reference to this would be a cycle for the garbage collector."""
        self._parser = self._request = None
        self._body = b""
        self.release()

    def release(self) -> None:
        """Uncount the body."""
        self.front.body_bytes -= self.held
        self.held = 0

    @property
    def is_head_request(self) -> bool:
        """Whether the request that is being read asks for a head alone."""
        return self.in_request and bool(self._target) and self._parser.get_method() == b"HEAD"

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        """Start a new request."""
        self._target = self._body = b""
        self._headers = {}
        self._size = self._limit = self._received = self.pieces.announced = 0
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
        parser, headers = self._parser, self._headers
        method, version = parser.get_method(), parser.get_http_version()
        self.fault = self.fault or find_fault(self._head, method, self._target, version, headers)
        if self.fault or parser.should_upgrade():
            return  # at an upgrade the parser stops: `_parse` goes on without it
        target = origin_form(self._target)
        self._in_head = False
        self._size = 0
        self._limit = self.front.body_limit(target)
        has_chunks, length = b"transfer-encoding" in headers, headers.get(b"content-length")
        size = int(length.lstrip(b"0") or b"0") if length else 0
        if size > self._limit:
            self.fault = self._too_large()
            return
        self.pieces.expect_chunks() if has_chunks else self.pieces.expect_body(size)
        # Known from the head alone, without trailers. In HTTP/1.0 the parser overlooks `close` beside `keep-alive`.
        stays = version == "1.1" or b"close" not in headers.get(b"connection", b"").lower()
        keep_alive = stays and parser.should_keep_alive()
        answer = self.front.prepare(method, target, headers)
        self._request = Request(method, target, headers, b"", keep_alive, version, answer)
        self._keeps_body = self.front.admits(target, headers)
        if headers.get(b"expect", b"").lower() == b"100-continue" and version == "1.1":
            self.request_expects_continue()
        elif answer and keep_alive and length and self._head_piece.endswith(END) and version == "1.1":
            self.front.remember(self._head_piece, KnownHead(size, answer))

    def on_body(self, piece: bytes) -> None:
        """Collect the body up to its limit, and to the limit of all bodies together."""
        if self.fault:
            return
        self._size += len(piece)
        if self._size > self._limit:
            self.fault = self._too_large()
        if self.fault or not self._keeps_body:
            return
        self.held += len(piece)
        self.front.body_bytes += len(piece)
        while self.front.body_bytes > self.front.settings.max_buffered_bytes and not self.fault:
            if not self.front.make_room(self):
                self.fault, self._body = NO_ROOM, b""
        if self.fault:
            return
        if not self._body:
            self._body = piece
        else:
            if type(self._body) is bytes:  # BytesIO grows in place, and gives its bytes without a copy
                self._body, first = io.BytesIO(), self._body
                self._body.write(first)
            self._body.write(piece)

    def on_message_complete(self) -> None:
        """Complete the request."""
        if self.fault or self._in_head:  # in the head: `_parse` goes on without an upgrade
            return
        self.in_request = False
        self._whole, self._request = self._request, None
        body, self._body = self._body, b""
        self._whole.body = body if type(body) is bytes else body.getvalue()
        self.pieces.expect_head()
        if b"transfer-encoding" in self._headers:  # trailers may have closed the parser, or upgraded it
            self._parser = httptools.HttpRequestParser(self)

    def _too_large(self) -> tuple[int, str]:
        return 413, f"the body is too large, at most {self._limit} bytes are allowed"
