"""What a worker serves: the Flask application, the fast lane past it, and the metrics, as `serve.http` expects them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.api.app import create_app
from serve.api.lane import Lane
from serve.settings import Settings

MANY_ROWS = re.compile(rb"(/api/v2/predict/batch|/invocations|/v2/models/.*/infer)(\?.*)?")
HEALTH = b"/health/"  # answered under overload too: a busy server must not be restarted for being busy


@dataclass(frozen=True)
class Metrics:
    """The metrics of all workers, on an address of their own; everything else about them is as for any service."""

    application: Callable[..., Any]
    max_body_bytes: int
    rejected: Callable[[int], None]

    def short_cut(self, *_request: object) -> None:
        """Leave every request to the application."""

    def body_limit(self, _target: bytes) -> int:
        """Return how many bytes a request's body may have."""
        return self.max_body_bytes

    def is_urgent(self, _target: bytes) -> bool:
        """No request passes the queue."""
        return False


class Service:
    """Everything behind one worker's public address."""

    def __init__(self, settings: Settings, counts: Path | None = None) -> None:
        """Make the application. counts: where this worker publishes what it counts. Raises SettingsError."""
        app = create_app(settings)
        parts = app.extensions
        self._settings, self._observer, self._stopping = settings, parts["observer"], parts["stopping"]
        self._background = [part for part in (parts["prediction_log"], parts["shadow"]) if part]
        self._refusals = parts["prediction_log"].refusals if parts["prediction_log"] else None
        if counts:
            self._observer.share(counts)
        self.application = app.wsgi_app
        self.short_cut = Lane(*(parts[each] for each in ("live_model", "observer", "keys", "prediction_log", "shadow")))
        self.metrics = Metrics(self._observer.metrics_app, settings.max_body_bytes, self._observer.rejected)

    def body_limit(self, target: bytes) -> int:
        """Return how many bytes the body of a request to this target may have."""
        settings = self._settings
        return settings.max_batch_bytes if MANY_ROWS.fullmatch(target) else settings.max_body_bytes

    def is_urgent(self, target: bytes) -> bool:
        """Whether a request is answered although the queue is full."""
        return target.startswith(HEALTH)

    def rejected(self, status: int) -> None:
        """Count a request that reaches no route."""
        self._observer.rejected(status)
        if self._refusals:
            self._refusals.count_early(status)

    def gauge(self, connections: int, in_flight: int) -> None:
        """Publish how many connections are open and how many requests are being answered."""
        self._observer.gauge(connections, in_flight)

    def stop(self) -> None:
        """Report not ready from now on."""
        self._stopping.set()

    def close(self) -> None:
        """Write what is still to be written."""
        for background in self._background:
            background.close()
