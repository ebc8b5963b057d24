"""A server with metrics on an address of their own, and one connection that sends bytes as they are."""

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.exposition import read_series
from tests.server_process import DEADLINE, Server, find_free_port, running_server
from tests.waiting import wait_until


@dataclass(frozen=True)
class Observed:
    """A running server and the port of its metrics."""

    server: Server
    metrics_port: int

    def exposition(self) -> str:
        """Return the metrics as they stand."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=DEADLINE) as answer:
            return answer.read().decode()

    def series(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return a series' samples by the values of these labels."""
        return read_series(self.exposition(), name, *labels)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the log; every line of it must be a JSON object."""
        return [json.loads(line) for line in self.server.log.read_text().splitlines()]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; fail with the log when it never does."""
        wait_until(condition, log=self.server.log)


@contextmanager
def observed_server(folder: Path, store: Path, **environment: str) -> Iterator[Observed]:
    """Run a server with metrics until the block ends."""
    port = find_free_port()
    with running_server(folder, store, SERVE_METRICS_ADDRESS=f"127.0.0.1:{port}", **environment) as server:
        yield Observed(server, port)


def exchange(port: int, *requests: bytes) -> list[bytes]:
    """Send whole requests over one connection and return the answers, without what differs by time and chance."""
    answers = []
    with closing(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)) as connection:
        stream = connection.makefile("rb")
        for request in requests:
            connection.sendall(request)
            lines, length = [], 0
            while (line := stream.readline()) != b"\r\n":
                assert line, "the connection was closed"
                name, _, value = line.partition(b": ")
                if name.lower() == b"content-length":
                    length = int(value)
                lines.append(name + b": *\r\n" if name in (b"Date", b"X-Decision-Id") else line)
            answers.append(b"".join([*lines, b"\r\n", stream.read(length)]))
    return answers


def prediction(application: dict[str, Any], *headers: str, kind: str = "application/json") -> bytes:
    """Return the bytes of a prediction's request; another spelling of `kind` keeps it out of the fast lane."""
    body = json.dumps(application).encode()
    lines = ["POST /api/v2/predict HTTP/1.1", "Host: x", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body
