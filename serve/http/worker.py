"""A worker process: one event loop that accepts, times and parses, and a few threads that run the application."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Protocol

from serve.http.connection import Connection
from serve.http.front import Front, Service
from serve.http.handshake import TLSListener
from serve.http.listening import make_context
from serve.settings import BACKLOG, Settings

TICK = 0.1  # seconds; the grain of every deadline
SWITCH_SECONDS = 0.0005  # after which a thread of the application gives the interpreter to the loop, if that waits


class WorkerService(Service, Protocol):
    """What one worker process serves: itself on the public address, `metrics` on one of its own."""

    metrics: Service
    gauge: Callable[[int, int], None]  # publishes how many connections are open and requests are being answered
    stop: Callable[[], None]  # reports not ready from now on: the worker drains
    close: Callable[[], None]  # writes what is still to be written: the worker ends


async def work(
    make_service: Callable[[], WorkerService],
    settings: Settings,
    public: socket.socket,
    metrics: socket.socket | None,
    beat: Callable[[], None],
    parent: int,
) -> None:
    """Serve until SIGTERM or the end of the parent, then answer what is in flight.

    make_service: called once SIGTERM is handled.   beat: called at each tick.   parent: its pid, known before the
    fork, since the parent may have ended by now.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = make_service()
    fronts = [front := Front(service, settings)]
    context = make_context(settings)
    if context:
        listener = TLSListener(front, context, public)
    elif public.family == socket.AF_UNIX:
        # Its path is not this worker's to remove: others listen on it too.
        listener = await loop.create_unix_server(
            partial(Connection, front), sock=public, backlog=BACKLOG, cleanup_socket=False
        )
    else:
        listener = await loop.create_server(partial(Connection, front), sock=public, backlog=BACKLOG)
    if metrics:
        fronts.append(metrics_front := Front(service.metrics, settings))
        await loop.create_server(partial(Connection, metrics_front), sock=metrics, backlog=BACKLOG)

    def tick() -> None:
        beat()
        for each in fronts:
            each.tick()
        service.gauge(len(front.connections), front.in_flight)

    while not stopping.is_set() and os.getppid() == parent:
        tick()
        await asyncio.sleep(TICK)
    service.stop()
    await _drain(front, listener, settings.drain_seconds, tick)
    service.close()
    service.gauge(len(front.connections), front.in_flight)  # the last counts


async def _drain(
    front: Front, listener: asyncio.Server | TLSListener, seconds: float, tick: Callable[[], None]
) -> None:
    """Answer what is in flight, still listening, so that a health check can read 503; then close and end."""
    deadline = front.now + seconds
    begun = front.drain()
    while begun & front.drain() and front.now < deadline:
        await asyncio.sleep(TICK)
        tick()
    listener.close()
    while front.drain() and front.now < deadline:
        await asyncio.sleep(TICK)
        tick()
