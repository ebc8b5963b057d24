"""What the connections of a worker share: limits, clock, counters, and the two ways to a response."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any, Protocol

from serve.http import wsgi
from serve.http.wsgi import Application, Request
from serve.settings import Settings

CROWDED = 0.9  # of max_connections
QUIET_SECONDS = 2.0  # that a connection may be idle while the front is crowded
INTERNAL = (500, "internal error")
Answered = Callable[[Request, bytes, bytes], None]  # with the status line and the rest of the response
log = logging.getLogger(__name__)


class Service(Protocol):
    """What answers the requests of one address."""

    application: Application
    # From method, target, headers and body: headers and body of a 200 response, or None: the application has to answer.
    short_cut: Callable[[bytes, bytes, Mapping[bytes, bytes], bytes], bytes | None]
    body_limit: Callable[[bytes], int]  # how many bytes the body of a request to this target may have
    is_urgent: Callable[[bytes], bool]  # whether a request to this target is answered although the queue is full
    rejected: Callable[[int], None]  # counts a request that never reaches the application, by its status


class Front:
    """Made on the loop that it serves; `now` is that loop's time, as of the last tick."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.settings = settings
        self.connections: set[Any] = set()  # each a `connection.Connection`
        self.draining = False
        self.in_flight = 0
        self.body_bytes = 0  # of the requests that are being received or answered
        self.body_limit, self.rejected = service.body_limit, service.rejected
        self._application, self._short_cut, self._is_urgent = service.application, service.short_cut, service.is_urgent
        self._loop = asyncio.get_running_loop()
        self._small = ThreadPoolExecutor(settings.threads, "small")
        # Requests with large bodies have their own queue, so that small ones and health checks do not wait for them.
        self._large = ThreadPoolExecutor(max(1, settings.threads // 2), "large")
        self.tick()

    def tick(self) -> None:
        """Advance the clock, and end the connections whose deadline has passed."""
        self.now = self._loop.time()
        self.receive_by = self.now + self.settings.receive_seconds
        self.idle_until = self.now + self.settings.idle_seconds
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in [each for each in self.connections if each.deadline < self.now]:
            connection.expire()
        # Idle connections must not lock others out, health checks least of all.
        if len(self.connections) > CROWDED * self.settings.max_connections:
            self._close_idle(QUIET_SECONDS)

    def drain(self) -> set[Any]:
        """Close idle connections, and the others after their response; return those that are still open."""
        self.draining = True
        self._close_idle()
        return set(self.connections)

    def _close_idle(self, seconds: float = 0.0) -> None:
        for connection in list(self.connections):
            connection.close_if_idle(seconds)

    def short_cut(self, request: Request) -> bytes | None:
        """Return headers and body of the fast lane's 200 response, or None: the application has to answer."""
        try:
            return self._short_cut(request.method, request.target, request.headers, request.body)
        except Exception as err:  # noqa: BLE001 (the application answers whatever fails in the lane)
            log.error("%s in the lane", type(err).__name__)
            return None

    def ask(self, request: Request, answered: Answered) -> bool:
        """Have the application answer on a thread, then call `answered` on the loop; False when the queue is full."""
        if self.in_flight >= self.settings.max_queue and not self._is_urgent(request.target):
            return False
        self.in_flight += 1
        pool = self._large if len(request.body) > self.settings.max_body_bytes else self._small
        pool.submit(self._run, request, answered)
        return True

    def _run(self, request: Request, answered: Answered) -> None:
        try:
            response = wsgi.call(self._application, request, (self.settings.host, self.settings.port))
        except Exception as err:  # noqa: BLE001 (Flask answers its own errors; any other must not end the thread)
            log.error("%s in the application", type(err).__name__)
            response = wsgi.make_error(*INTERNAL)
        self._loop.call_soon_threadsafe(self._finish, request, answered, *response)

    def _finish(self, request: Request, answered: Answered, status: bytes, rest: bytes) -> None:
        self.in_flight -= 1
        answered(request, status, rest)
