"""How bodies are encoded: gzip for many rows, as it comes and as it goes, and no text but UTF-8.

Source: RFC 9110, sections 8.4 (Content-Encoding), 12.5.3 (Accept-Encoding) and 15.5.16 (status 415).
"""

import gzip
import io
import zlib

from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from serve.errors import RequestError

GZIP, IDENTITY = "gzip", "identity"
LONGEST_ACCEPT_ENCODING = 500  # characters; a browser sends up to 30
INPUT_PIECE, OUTPUT_PIECE = 16_384, 65_536  # bytes that one step of a decompression takes and gives
# Bytes of a response that is compressed, and the level, of 9: from here on, a network of 1 Gbit/s takes longer for what
# is saved of codes or documents than level 1 takes to save it. Level 6 takes two to five times as long for 2 % less.
SMALLEST, LEVEL = 16_384, 1


class UnsupportedEncoding(UnsupportedMediaType):
    """A body is encoded in a way that its route does not read; the response names the ways that it reads."""

    def __init__(self, accepted: str) -> None:
        super().__init__(f"expected no Content-Encoding but {accepted}")
        self.accepted = accepted

    def get_headers(self, *args: object) -> list[tuple[str, str]]:
        """Return the headers of the response."""
        return [*super().get_headers(*args), ("Accept-Encoding", self.accepted)]


def check_charset() -> None:
    """Raise UnsupportedMediaType when the Content-Type of this request names another charset than UTF-8."""
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("expected no charset in the Content-Type but UTF-8")


def is_gzip(takes_gzip: bool) -> bool:
    """Return whether the body of this request is in gzip. Raises UnsupportedEncoding for what the route can't read."""
    names = [name.strip().lower() for name in request.headers.get("Content-Encoding", "").split(",")]
    names = [name for name in names if name not in ("", IDENTITY)]
    if names and not (takes_gzip and names in ([GZIP], ["x-gzip"])):
        raise UnsupportedEncoding(f"{GZIP}, {IDENTITY}" if takes_gzip else IDENTITY)
    return bool(names)


def decompress(data: bytes, most: int) -> bytes:
    """Return the bytes of one gzip member. No more than `most` and one piece are held, and other threads run between.

    Raises RequestEntityTooLarge, and RequestError for what is not gzip, not whole, or followed by anything.
    """
    decoder, body = zlib.decompressobj(16 + zlib.MAX_WBITS), io.BytesIO()
    taken = 0
    try:
        while taken < len(data) and not decoder.eof:
            piece = data[taken : taken + INPUT_PIECE]
            body.write(decoder.decompress(piece, OUTPUT_PIECE))
            taken += len(piece) - len(decoder.unused_data if decoder.eof else decoder.unconsumed_tail)
            if body.tell() > most:
                raise RequestEntityTooLarge(f"the body is too large, at most {most} bytes are allowed, decompressed")
    except zlib.error:
        taken = 0
    if not decoder.eof or taken < len(data):
        raise RequestError("expected a body in gzip, as its Content-Encoding says, one member and nothing after it")
    return body.getvalue()


def compress_responses(app: Flask) -> None:
    """Compress large responses to requests of many rows where the caller takes gzip."""

    @app.after_request
    def compress(response: Response) -> Response:
        if g.get("has_many_rows"):
            response.vary.add("Accept-Encoding")
            if (response.content_length or 0) >= SMALLEST and _prefers_gzip():
                response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
                response.content_encoding = GZIP
        return response


def _prefers_gzip() -> bool:
    """Whether the caller takes gzip, and not less gladly than nothing; no for a header that is long to parse."""
    if len(request.headers.get("Accept-Encoding", "")) > LONGEST_ACCEPT_ENCODING:
        return False
    accepted = request.accept_encodings
    return accepted[GZIP] > 0 and accepted[GZIP] >= accepted[IDENTITY]
