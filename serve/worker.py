"""A worker process: one event loop that accepts, times and parses, and a few threads that run the application."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvloop

from serve.app import create_app
from serve.front import Front
from serve.http_connection import Connection
from serve.lane import Lane
from serve.settings import BACKLOG, Settings
from serve.tls import make_context

TICK = 0.1  # seconds; the grain of every deadline


def work(
    settings: Settings,
    public: socket.socket,
    metrics: socket.socket | None,
    beat: Callable[[], None],
    parent: int,
    tallies: Path | None = None,
) -> None:
    """Serve until SIGTERM or the end of the parent, then answer what is in flight.

    beat tells that the loop turns. parent: its pid, known before the fork, since it may be gone by now. tallies: where
    this worker publishes what it counts.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, public, metrics, beat, parent, tallies))


async def _serve(
    settings: Settings,
    public: socket.socket,
    metrics: socket.socket | None,
    beat: Callable[[], None],
    parent: int,
    tallies: Path | None,
) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = create_app(settings)
    observer = app.extensions["observer"]
    if tallies:
        observer.share(tallies)
    lane = Lane(*(app.extensions[each] for each in ("live_model", "observer", "keys", "prediction_log", "shadow")))
    log = app.extensions["prediction_log"]
    front = Front(app.wsgi_app, settings, observer, lane, log.refusals if log else None)
    fronts = [front]
    context = make_context(settings)
    tls = {"ssl": context, "ssl_handshake_timeout": settings.receive_seconds} if context else {}
    server = await loop.create_server(lambda: Connection(front), sock=public, backlog=BACKLOG, **tls)
    if metrics:
        small = replace(settings, max_batch_bytes=settings.max_body_bytes)
        inner = Front(observer.metrics_app, small, observer)
        fronts.append(inner)
        await loop.create_server(lambda: Connection(inner), sock=metrics, backlog=BACKLOG)
    while not stopping.is_set() and os.getppid() == parent:
        _tick(fronts, beat)
        await asyncio.sleep(TICK)
    app.extensions["stopping"].set()
    await _drain(front, server, settings.drain_seconds, lambda: _tick(fronts, beat))
    for background in filter(None, (app.extensions["prediction_log"], app.extensions["shadow"])):
        background.close()
    front.observe()  # the last counts


def _tick(fronts: list[Front], beat: Callable[[], None]) -> None:
    beat()
    for front in fronts:
        front.tick()
    fronts[0].observe()


async def _drain(front: Front, server: asyncio.Server, seconds: float, tick: Callable[[], None]) -> None:
    """Answer what is in flight, still listening, so that a health check can read 503; then close and end."""
    deadline = front.now + seconds
    begun = front.drain()
    while begun & front.connections and front.now < deadline:
        await asyncio.sleep(TICK)
        tick()
    server.close()
    while front.drain() and front.now < deadline:
        await asyncio.sleep(TICK)
        tick()
