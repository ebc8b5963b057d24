"""What the connections of a worker share: limits, clock, counters, known heads, and two ways to a response."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import gmtime, strftime
from typing import NamedTuple, Protocol

from serve.http import wsgi
from serve.http.share import Shares
from serve.http.wsgi import Answer, Application, Request
from serve.settings import Settings

CROWDED = 0.9  # of max_connections
QUIET_SECONDS = 2.0  # that a connection may be idle while the front is crowded
LEAVING_SECONDS = 1.0  # likewise while it drains: a busy caller's next request comes before that
KNOWN_HEADS = 256
LONGEST_KNOWN = 1024  # bytes
MOST_UNREAD = 32 * 2**20  # bytes that all connections together keep for later turns
URGENT_RESERVE = 16  # places in the queue that only urgent requests may take
INTERNAL = (500, "internal error")
Answered = Callable[[Request, bytes, bytes], None]  # with the status line and the rest of the response
log = logging.getLogger(__name__)


class Service(Protocol):
    """What answers the requests of one address."""

    application: Application
    # Prepares the fast lane for method, target and headers; None: the application has to answer.
    short_cut: Callable[[bytes, bytes, Mapping[bytes, bytes]], Answer | None]
    body_limit: Callable[[bytes], int]  # how many bytes the body of a request to this target may have
    admits: Callable[[bytes, Mapping[bytes, bytes]], bool]  # whether the body is kept; else it is read as empty
    is_urgent: Callable[[bytes], bool]  # whether a request to this target is answered although the queue is full
    rejected: Callable[[int], None]  # counts a request that never reaches the application, by its status


class Place(Protocol):
    """What takes one of the places for connections."""

    deadline: float
    held: int  # bytes of a body that has begun to come

    def refuse_body(self) -> None:
        """Refuse the request whose body is coming: there is no room."""

    def expire(self) -> None:
        """End: the deadline has passed."""

    def close_if_idle(self, seconds: float) -> None:
        """End if nothing has come for so many seconds and nothing is being answered."""

    def give_way(self) -> bool:
        """Disconnect at once unless a request is being answered; return whether the place is free."""


class KnownHead(NamedTuple):
    """What a head means that the parser has accepted: the size of its body, and the fast lane for it."""

    size: int
    answer: Answer


class Front:
    """Made on the loop that it serves; `now` is that loop's time, as of the last tick."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.settings = settings
        self.connections: dict[Place, None] = {}  # the oldest first
        self.half_sent: dict[Place, None] = {}  # those whose request began in an earlier read, the oldest first
        self.draining = False
        self.in_flight = 0
        self.body_bytes = 0  # of the requests that are being received or answered
        self.unread = 0  # bytes that wait for a later turn
        self.heads: dict[bytes, KnownHead] = {}  # bytes that mean the same each time
        self.body_limit, self.rejected, self.admits = service.body_limit, service.rejected, service.admits
        self._application, self._short_cut, self._is_urgent = service.application, service.short_cut, service.is_urgent
        self._server = ("localhost", 80) if settings.socket else (settings.host, settings.port)
        self._loop = asyncio.get_running_loop()
        self.shares = Shares(self._loop)
        self._small = ThreadPoolExecutor(settings.threads, "small")
        # Large bodies, and encoded ones that may become large, have their own queue, so that small ones and health
        # checks do not wait for them.
        self._large = ThreadPoolExecutor(max(1, settings.threads // 2), "large")
        self.tick()

    def tick(self) -> None:
        """Advance the clock, and end the connections whose deadline has passed."""
        self.now = self._loop.time()
        self.receive_by = self.now + self.settings.receive_seconds
        self.idle_until = self.now + self.settings.idle_seconds
        self.date = strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime()).encode()
        self.ok = b"HTTP/1.1 200 OK\r\n" + self.date
        for connection in [each for each in self.connections if each.deadline < self.now]:
            connection.expire()
        # Idle connections must not lock others out, health checks least of all.
        if self.draining:
            self._close_idle(LEAVING_SECONDS)
        elif len(self.connections) > CROWDED * self.settings.max_connections:
            self._close_idle(QUIET_SECONDS)

    def drain(self) -> set[Place]:
        """End each connection after its next response, or once it is idle; return those that are open."""
        self.draining = True
        self.heads.clear()
        return set(self.connections)

    def _close_idle(self, seconds: float) -> None:
        for connection in list(self.connections):
            connection.close_if_idle(seconds)

    # Places.

    def enter(self, connection: Place) -> bool:
        """Give a connection a place; return False if all others are being answered."""
        self.connections[connection] = None
        if len(self.connections) <= self.settings.max_connections:
            return True
        # A caller that sends slowly gives way to one that comes: half-sent requests cost their sender nothing.
        for places in (self.half_sent, self.connections):
            if next((True for each in places if each is not connection and each.give_way()), False):
                return True
        return False

    def leave(self, connection: Place) -> None:
        """Free a place."""
        self.connections.pop(connection, None)
        self.half_sent.pop(connection, None)

    def make_room(self, connection: Place) -> bool:
        """Refuse the request that has sent least of its body, if that is less than this one has; return whether.

        If each refused itself, no large body might ever be whole under a load of many.
        """
        least = min((each for each in self.half_sent if each.held), key=lambda each: each.held, default=connection)
        if least.held >= connection.held:
            return False
        least.refuse_body()
        return True

    # Ways to a response.

    def prepare(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Return the fast lane for a head; None: the application has to answer."""
        try:
            return self._short_cut(method, target, headers)
        except Exception as err:  # noqa: BLE001 (the application answers whatever fails in the lane)
            log.error("%s in the lane", type(err).__name__)
            return None

    def remember(self, head: bytes, known: KnownHead) -> None:
        """Keep what these bytes mean; the oldest of too many is forgotten."""
        if len(head) > LONGEST_KNOWN or self.draining:
            return
        if len(self.heads) >= KNOWN_HEADS:
            del self.heads[next(iter(self.heads))]
        self.heads[head] = known

    def answer(self, answer: Answer, body: bytes) -> bytes | None:
        """Return headers and body of the fast lane's 200 response, or None: the application has to answer."""
        try:
            return answer(body)
        except Exception as err:  # noqa: BLE001 (as above)
            log.error("%s in the lane", type(err).__name__)
            return None

    def ask(self, request: Request, answered: Answered) -> bool:
        """Have the application answer on a thread, then call `answered` on the loop; False when the queue is full."""
        most = self.settings.max_queue + (URGENT_RESERVE if self._is_urgent(request.target) else 0)
        if self.in_flight >= most:
            return False
        self.in_flight += 1
        is_large = len(request.body) > self.settings.max_body_bytes or b"content-encoding" in request.headers
        pool = self._large if is_large else self._small
        pool.submit(self._run, request, answered)
        return True

    def _run(self, request: Request, answered: Answered) -> None:
        try:
            response = wsgi.call(self._application, request, self._server)
        except Exception as err:  # noqa: BLE001 (Flask answers its own errors; any other must not end the thread)
            log.error("%s in the application", type(err).__name__)
            response = wsgi.make_error(*INTERNAL)
        self._loop.call_soon_threadsafe(self._finish, request, answered, *response)

    def _finish(self, request: Request, answered: Answered, status: bytes, rest: bytes) -> None:
        self.in_flight -= 1
        answered(request, status, rest)
