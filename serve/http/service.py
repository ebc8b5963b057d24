"""What the HTTP side is handed to answer with. It knows no route and no framework."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

Application = Callable[..., Iterable[bytes]]  # WSGI, PEP 3333


class Service(Protocol):
    """What answers the requests of one address."""

    application: Application

    def short_cut(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes], body: bytes, /) -> bytes | None:
        """Return headers and body of a 200 response, or None: the application has to answer."""

    def body_limit(self, target: bytes, /) -> int:
        """Return how many bytes the body of a request to this target may have."""

    def is_urgent(self, target: bytes, /) -> bool:
        """Whether a request is answered although the queue is full."""

    def rejected(self, status: int, /) -> None:
        """Take note of a request that never reaches the application."""


class WorkerService(Service, Protocol):
    """What one worker process serves."""

    metrics: Service

    def gauge(self, connections: int, in_flight: int, /) -> None:
        """Take note of how much there is to do."""

    def stop(self) -> None:
        """Report not ready from now on: the worker drains."""

    def close(self) -> None:
        """Write what is still to be written: the worker ends."""
