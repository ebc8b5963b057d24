"""A whole request and its response, by a WSGI application or as an error. Source: PEP 3333."""

import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from serve import strict_json

# Headers that the server sets itself.
CONNECTION_HEADERS = frozenset(("connection", "keep-alive", "trailer", "transfer-encoding", "upgrade", "date"))
REASONS = {each.value: each.phrase for each in HTTPStatus} | {413: "Content Too Large"}  # Python before 3.13 differs
Application = Callable[..., Iterable[bytes]]
Answer = Callable[[bytes], bytes | None]  # from a body: headers and body of a 200 response, or None


@dataclass(slots=True)
class Request:
    """A whole request: `headers` by lower-case name; with `keep_alive` the connection outlives the response.

    answer: the fast lane, prepared for this head; None: the application has to answer.
    """

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool
    version: str
    answer: Answer | None = None


def call(application: Application, request: Request, server: tuple[str, int]) -> tuple[bytes, bytes]:
    """Return the status line and the rest of the response (headers, body). Raises what the application raises."""
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Callable[..., None]:
        started[:] = status, headers
        return written.append

    chunks = application(make_environ(request, server), start_response)
    try:
        for chunk in chunks:
            written.append(chunk)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    body, (status, headers) = b"".join(written), started
    lines = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in CONNECTION_HEADERS]
    if not any(name.lower() == "content-length" for name, _ in headers) and status[:3] not in ("204", "304"):
        lines.append(f"Content-Length: {len(body)}\r\n")
    if request.method == b"HEAD":  # a body would be read as the beginning of the next response
        body = b""
    return f"HTTP/1.1 {status}\r\n".encode("latin-1"), "".join([*lines, "\r\n"]).encode("latin-1") + body


def make_environ(request: Request, server: tuple[str, int]) -> dict[str, Any]:
    """Return the environ."""
    path, _, query = request.target.partition(b"?")
    environ = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),  # as it came, percent-encoded
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "serve.body": request.body,  # whoever reads it from `wsgi.input` makes a copy
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name == b"content-type":
            environ["CONTENT_TYPE"] = value.decode("latin-1")
        # A name with an underscore could pass for one with a hyphen; CONTENT_LENGTH is set from the body above.
        elif b"_" not in name and name not in (b"content-length", b"transfer-encoding", b"connection"):
            environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
    return environ


def make_error(status: int, text: str) -> tuple[bytes, bytes]:
    """Return the status line and the rest of an error's response."""
    body = strict_json.dumps({"error": text})
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{retry}\r\n"
    return f"HTTP/1.1 {status} {REASONS[status]}\r\n".encode(), head.encode() + body
