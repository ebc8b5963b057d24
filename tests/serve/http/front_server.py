"""A Front and its connections on a real loop and a real port, in a thread of the test's own process."""

import asyncio
import json
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from serve.http.connection import Connection
from serve.http.front import Front
from serve.http.handshake import TLSListener
from tests.raw_http import RawAnswer, exchange

TICK = 0.02  # seconds
BODY_LIMIT = 1000
BIG = 400_000  # bytes of a response
PATIENT = {"receive_seconds": 60.0, "idle_seconds": 60.0, "send_seconds": 60.0}
HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"


@dataclass
class Application:
    """Describes each request; `/slow` waits until `go_on` is set, `/big` answers much, `/broken` raises."""

    go_on: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    asked: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        body = environ["wsgi.input"].read()
        self.begun.release()
        if path.startswith("/slow"):
            assert self.go_on.wait(60)
        if path == "/broken":
            raise RuntimeError("secret")
        answer = b"x" * BIG if path == "/big" else f"{environ['REQUEST_METHOD']} {path} {len(body)}".encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [answer]


@dataclass
class StubService:
    """A service of an application, and of a fast lane if there is one."""

    application: Callable[..., Any]
    limit: int = 65_536
    short_cut: Callable[..., Any] = lambda *_head: None
    admits: Callable[..., bool] = lambda *_head: True
    rejections: list[int] = field(default_factory=list)

    def body_limit(self, _target: bytes) -> int:
        return self.limit

    def is_urgent(self, target: bytes) -> bool:
        return target == b"/urgent"

    def rejected(self, status: int) -> None:
        self.rejections.append(status)


@dataclass(frozen=True)
class FrontServer:
    """A front that listens on `port`."""

    port: int
    front: Front
    loop: asyncio.AbstractEventLoop

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """Call a function on the loop and return what it returns."""

        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(60)


@contextmanager
def serving(make_front: Callable[[], Front], context: ssl.SSLContext | None = None) -> Iterator[FrontServer]:
    """Serve until the block ends, with TLS if there is a context."""
    servers: queue.Queue[FrontServer] = queue.Queue()
    stop = asyncio.Event()

    async def serve() -> None:
        front = make_front()
        loop, sock = asyncio.get_running_loop(), socket.create_server(("127.0.0.1", 0))
        if context:
            listener = TLSListener(front, context, sock)
        else:
            listener = await loop.create_server(lambda: Connection(front), sock=sock)
        servers.put(FrontServer(sock.getsockname()[1], front, loop))
        while not stop.is_set():
            front.tick()
            await asyncio.sleep(TICK)
        listener.close()
        for connection in list(front.connections):
            connection.give_way() or connection._transport.abort()  # who is being answered does not give way
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    server = servers.get(timeout=60)
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(stop.set)
        thread.join(60)


def is_empty(server: FrontServer) -> bool:
    return not server.front.connections


def refused(server: FrontServer, data: bytes) -> RawAnswer:
    """Send bytes that are refused; return the only response, after which the server closed."""
    answers = exchange(server.port, data)
    assert len(answers) == 1, answers
    assert answers[0].header("connection") == "close"
    assert set(json.loads(answers[0].body)) == {"error"}
    return answers[0]
