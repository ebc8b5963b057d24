"""What the connections of a worker share: limits, clock, counts, and the ways to an answer."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

from serve.http import wsgi
from serve.http.connection import Connection
from serve.http.request import Request
from serve.http.service import Service
from serve.settings import Settings

CROWDED = 0.9  # of all places
log = logging.getLogger(__name__)


class Front:
    """Made on the loop that it serves; `now` is that loop's time, as of the last tick."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.settings = settings
        self.connections: set[Connection] = set()
        self.draining = False
        self.in_flight = 0
        self.body_bytes = 0  # of the requests that are being received or answered
        self.body_limit, self.rejected = service.body_limit, service.rejected
        self._application, self._short_cut, self._is_urgent = service.application, service.short_cut, service.is_urgent
        self._loop = asyncio.get_running_loop()
        self._small = ThreadPoolExecutor(settings.threads, "small")
        # Large bodies wait in a line of their own, so that no small request and no health check stands behind them.
        self._large = ThreadPoolExecutor(max(1, settings.threads // 2), "large")
        self.tick()

    def tick(self) -> None:
        """Move the clock, and end whoever is late."""
        self.now = self._loop.time()
        self.receive_by = self.now + self.settings.receive_seconds
        self.idle_until = self.now + self.settings.idle_seconds
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in [each for each in self.connections if each.deadline < self.now]:
            connection.expire()
        # Silent callers must not lock the others out, health checks least of all.
        if len(self.connections) > CROWDED * self.settings.max_connections:
            for connection in list(self.connections):
                connection.make_room()

    def drain(self) -> set[Connection]:
        """Close what is idle, let the rest end with its answer; return what has not ended yet."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
        return set(self.connections)

    def admit(self, connection: Connection) -> bool:
        """Count a connection in; False when it is one too many."""
        self.connections.add(connection)
        return len(self.connections) <= self.settings.max_connections

    def short_cut(self, request: Request) -> bytes | None:
        """Return the fast lane's response (headers and body), None where the application has to answer."""
        try:
            return self._short_cut(request.method, request.target, request.headers, request.body)
        except Exception as err:  # noqa: BLE001 (whatever is wrong with the lane, the application still answers)
            log.error("%s in the lane", type(err).__name__)
            return None

    def ask(self, connection: Connection, request: Request) -> bool:
        """Have the application answer on a thread; False when too many wait already."""
        if self.in_flight >= self.settings.max_queue and not self._is_urgent(request.target):
            return False
        self.in_flight += 1
        pool = self._large if len(request.body) > self.settings.max_body_bytes else self._small
        pool.submit(self._run, connection, request)
        return True

    def _run(self, connection: Connection, request: Request) -> None:
        try:
            status, answer = wsgi.call(self._application, request, (self.settings.host, self.settings.port))
        except Exception as err:  # noqa: BLE001 (Flask answers its own errors; what gets here must not end the thread)
            log.error("%s in the application", type(err).__name__)
            status, answer = wsgi.failure()
        self._loop.call_soon_threadsafe(self._answered, connection, request, status, answer)

    def _answered(self, connection: Connection, request: Request, status: bytes, answer: bytes) -> None:
        self.in_flight -= 1
        connection.answered(request, status, answer)
