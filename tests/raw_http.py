"""Raw bytes to a server on loopback, and what it answers: for callers that no HTTP library would play."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

TIMEOUT = 60  # seconds, on a busy machine
VARYING = re.compile(rb"(?<=\r\n)(Date|X-Decision-Id): [^\r]*")


@dataclass(frozen=True)
class RawAnswer:
    """One answer: `head` as it came, without the empty line at its end."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case and values, in the order they came."""
        lines = [line.split(": ", 1) for line in self.head.decode("latin-1").split("\r\n")[1:]]
        return [(name.lower(), value) for name, value in lines]

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)

    @property
    def masked(self) -> bytes:
        """Head and body, without what differs from answer to answer."""
        return VARYING.sub(rb"\1: ?", self.head) + b"\r\n\r\n" + self.body


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def read_answer(stream: BinaryIO, method: str = "GET") -> RawAnswer | None:
    """Return the next answer, None at the end of the stream."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            assert not head, f"the connection ended within a head: {bytes(head)!r}"
            return None
        head += line
    answer = RawAnswer(bytes(head[:-4]), b"")
    length = 0 if method == "HEAD" or answer.status in (100, 204, 304) else int(answer.header("content-length"))
    body = stream.read(length)
    assert len(body) == length, "the connection ended within a body"
    return RawAnswer(answer.head, body)


def read_answers(stream: BinaryIO) -> Iterator[RawAnswer]:
    """Yield answers until the connection ends."""
    while (answer := read_answer(stream)) is not None:
        yield answer


def exchange(port: int, data: bytes) -> list[RawAnswer]:
    """Send bytes and return all that is answered until the server closes."""
    with connect(port) as client:
        client.sendall(data)
        with client.makefile("rb") as stream:
            return list(read_answers(stream))


def post(body: bytes, *headers: str, path: str = "/api/v2/predict", version: str = "1.1") -> bytes:
    """Return a JSON request; a header given here replaces the usual one of that name."""
    given = {header.split(":")[0].lower() for header in headers}
    usual = ["Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines = [*(line for line in usual if line.split(":")[0].lower() not in given), *filter(None, headers)]
    return "\r\n".join([f"POST {path} HTTP/{version}", *lines, "", ""]).encode("latin-1") + body


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")
