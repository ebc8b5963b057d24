"""A Front and its connections on a real loop and a real port, in a thread of the test's own process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from serve.http.connection import Connection
from serve.http.front import Front

TICK = 0.02  # seconds


@dataclass
class StubService:
    """A service of an application, with a fast lane where one is given."""

    application: Callable[..., Any]
    limit: int = 65_536
    short_cut: Callable[..., bytes | None] = lambda *_request: None
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
def serving(make_front: Callable[[], Front]) -> Iterator[FrontServer]:
    """Serve until the block ends."""
    started = threading.Event()
    told: dict[str, Any] = {}

    async def serve() -> None:
        told["front"] = front = make_front()
        told["loop"], told["stop"] = asyncio.get_running_loop(), asyncio.Event()
        server = await told["loop"].create_server(lambda: Connection(front), "127.0.0.1", 0)
        told["port"] = server.sockets[0].getsockname()[1]
        started.set()
        while not told["stop"].is_set():
            front.tick()
            await asyncio.sleep(TICK)
        server.close()
        for connection in list(front.connections):
            connection._transport.abort()
        await asyncio.sleep(0)

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(60)
    try:
        yield FrontServer(told["port"], told["front"], told["loop"])
    finally:
        told["loop"].call_soon_threadsafe(told["stop"].set)
        thread.join(60)
