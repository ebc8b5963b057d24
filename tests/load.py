"""Clients for a running server: a steady load that is measured, and callers that mean no good."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.raw_http import RawAnswer, connect, get, post, read_answer

EXAMPLE = {
    **{"Age": 45, "Annual_Income": 85000, "Credit_Score": 650, "Loan_Amount": 25000, "Loan_Duration_Years": 10},
    **{"Number_of_Open_Accounts": 5, "Had_Past_Default": 0},
}
PREDICT = post(json.dumps(EXAMPLE).encode())
HEAD = b"POST /api/v2/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SLOW_HEAD, SLOW_BODY = HEAD, HEAD + b"Content-Length: 500\r\n\r\n{"


@dataclass
class Load:
    """What some clients were answered, and how long each answer took (seconds)."""

    answers: list[RawAnswer] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


@contextmanager
def load(port: int, clients: int, *requests: bytes, pause: float = 0.0) -> Iterator[Load]:
    """Have clients send the requests in turn until the block ends; a connection that ends in 503 is made anew."""
    result, stop = Load(), threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                _ask_until_closed(port, requests, result, stop, pause)
            except (OSError, AssertionError) as err:
                result.broken.append(repr(err))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield result
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask_until_closed(
    port: int, requests: tuple[bytes, ...], result: Load, stop: threading.Event, pause: float
) -> None:
    with connect(port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not stop.is_set():
            for request in requests:
                begun = time.perf_counter()
                with suppress(OSError):  # refused before it was all sent: the answer is there to read
                    client.sendall(request)
                answer = read_answer(stream)
                if answer is None:
                    raise ConnectionError("closed without an answer")
                result.seconds.append(time.perf_counter() - begun)
                result.answers.append(answer)
                if answer.header("connection") == "close":
                    return
                if pause:
                    stop.wait(pause)


@contextmanager
def slow_clients(port: int, count: int, begun: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that have sent the beginning of a request and go on by a byte now and then."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(count)]
        for client in clients:
            client.sendall(begun)
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.2):
                for client in clients:
                    with suppress(OSError):
                        client.send(b" " if b"\r\n\r\n" in begun else b"A: b\r\n")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield clients
        finally:
            stop.set()
            thread.join()


def vanish(port: int, sent: bytes, reset: bool) -> None:
    """Connect, send, and be gone."""
    client = connect(port)
    client.sendall(sent)
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


VANISHING = (b"", b"POST /api", SLOW_HEAD, SLOW_BODY, PREDICT, get("/openapi.json"), get("/openapi.json") * 20)


def vanish_many(port: int, count: int) -> None:
    """Be gone in every way, again and again."""
    for number in range(count):
        vanish(port, VANISHING[number % len(VANISHING)], reset=number % 2 == 0)


@dataclass(frozen=True)
class Usage:
    """What a process holds: resident memory in KiB, threads, descriptors."""

    rss: int
    threads: int
    descriptors: int


def usage(pid: int) -> Usage:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Usage(int(status["VmRSS"].split()[0]), int(status["Threads"]), descriptors)


def worker_pids(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
