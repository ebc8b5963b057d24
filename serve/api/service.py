"""What a worker serves, in the form that `serve.http` expects: the Flask application, the fast lane, the metrics."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

from serve.api.lane import Lane
from serve.api.parts import make_parts
from serve.settings import Settings

MANY_ROWS = rb"/api/v2/predict/batch|/invocations|/v2/models/.*/infer|/v1/models/[^/]*:(predict|explain)"
# Answered under overload too, or a busy server would be restarted for being busy.
HEALTH = rb"/health(/.*)?|/ping|/v2/health/.*|/v2/models/.*/ready|/v1/models/[^/:]*"


class Service:
    """Everything behind one worker's public address."""

    def __init__(self, settings: Settings, counts: Path | None = None) -> None:
        """Load the model. counts: the file in which this worker publishes its counts. Raises SettingsError."""
        self._parts = parts = make_parts(settings)
        self._made, self._making = None, Lock()
        if counts:
            parts.observer.share(counts)
        self._has_many_rows, self._is_health = (
            re.compile(rb"(%b|%b)(\?.*)?" % (paths, re.escape((vertex or "").encode()))).fullmatch
            for paths, vertex in ((MANY_ROWS, settings.vertex_predict), (HEALTH, settings.vertex_health))
        )
        leaves_origins = bool(settings.cors_origins)
        self.short_cut = Lane(
            parts.live_model, parts.observer, parts.keys, parts.prediction_log, parts.shadow, leaves_origins
        )
        # All workers' metrics on an address of their own: no lane, one limit for all bodies, nothing urgent.
        self.metrics = SimpleNamespace(
            application=parts.observer.metrics_app,
            rejected=parts.observer.rejected,
            short_cut=lambda *_head: None,
            admits=lambda *_head: True,
            body_limit=lambda _target: settings.max_body_bytes,
            is_urgent=lambda _target: False,
        )
        self.gauge = parts.observer.gauge
        self.stop = parts.stopping.set  # from then on `/health/ready` is 503

    def application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as Flask does: it is imported for the first request that the lane leaves to it.

        A worker that only predicts starts in less time and memory without it.
        """
        with self._making:
            if self._made is None:
                from serve.api.app import create_app

                self._made = create_app(parts=self._parts).wsgi_app
        return self._made(environ, start_response)

    def body_limit(self, target: bytes) -> int:
        """Return how many bytes the body of a request to this target may have."""
        settings = self._parts.settings
        return settings.max_batch_bytes if self._has_many_rows(target) else settings.max_body_bytes

    def admits(self, target: bytes, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the body is kept: where keys are required, no memory is held for a caller without one."""
        keys = self._parts.keys
        return keys is None or keys.holder(headers) is not None

    def is_urgent(self, target: bytes) -> bool:
        """Let health checks pass a full queue."""
        return bool(self._is_health(target))

    def rejected(self, status: int) -> None:
        """Count a request that was refused before it reached a route."""
        self._parts.observer.rejected(status)
        if self._parts.prediction_log:
            self._parts.prediction_log.refusals.count_early(status)

    def close(self) -> None:
        """Write what the prediction log and the shadow still hold, and send the last spans."""
        for part in (self._parts.prediction_log, self._parts.shadow, self._parts.tracer):
            if part:
                part.close()
