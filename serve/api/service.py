"""What a worker serves, in the form that `serve.http` expects: the Flask application, the fast lane, the metrics."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from serve.api.app import create_app
from serve.api.lane import Lane
from serve.keys import Keys
from serve.settings import Settings

MANY_ROWS = rb"/api/v2/predict/batch|/invocations|/v2/models/.*/infer|/v1/models/[^/]*:(predict|explain)"
# Answered under overload too, or a busy server would be restarted for being busy.
HEALTH = rb"/health(/.*)?|/ping|/v2/health/.*|/v2/models/.*/ready|/v1/models/[^/:]*"


class Service:
    """Everything behind one worker's public address."""

    def __init__(self, settings: Settings, counts: Path | None = None) -> None:
        """Make the application. counts: the file in which this worker publishes its counts. Raises SettingsError."""
        app = create_app(settings)
        parts = app.extensions
        self._settings, self._observer, self._log = settings, parts["observer"], parts["prediction_log"]
        self._keys: Keys | None = parts["keys"]
        self._background = [parts[name] for name in ("prediction_log", "shadow", "tracer") if parts[name]]
        if counts:
            self._observer.share(counts)
        self._has_many_rows, self._is_health = (
            re.compile(rb"(%b|%b)(\?.*)?" % (paths, re.escape((vertex or "").encode()))).fullmatch
            for paths, vertex in ((MANY_ROWS, settings.vertex_predict), (HEALTH, settings.vertex_health))
        )
        self.application = app.wsgi_app
        needed = ("live_model", "observer", "keys", "prediction_log", "shadow")
        self.short_cut = Lane(*(parts[name] for name in needed), leaves_origins=bool(settings.cors_origins))
        # All workers' metrics on an address of their own: no lane, one limit for all bodies, nothing urgent.
        self.metrics = SimpleNamespace(
            application=self._observer.metrics_app,
            rejected=self._observer.rejected,
            short_cut=lambda *_head: None,
            admits=lambda *_head: True,
            body_limit=lambda _target: settings.max_body_bytes,
            is_urgent=lambda _target: False,
        )
        self.gauge = self._observer.gauge
        self.stop = parts["stopping"].set  # from then on `/health/ready` is 503

    def body_limit(self, target: bytes) -> int:
        """Return how many bytes the body of a request to this target may have."""
        settings = self._settings
        return settings.max_batch_bytes if self._has_many_rows(target) else settings.max_body_bytes

    def admits(self, target: bytes, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the body is kept: where keys are required, no memory is held for a caller without one."""
        return self._keys is None or self._keys.holder(headers) is not None

    def is_urgent(self, target: bytes) -> bool:
        """Let health checks pass a full queue."""
        return bool(self._is_health(target))

    def rejected(self, status: int) -> None:
        """Count a request that was refused before it reached a route."""
        self._observer.rejected(status)
        if self._log:
            self._log.refusals.count_early(status)

    def close(self) -> None:
        """Write what the prediction log and the shadow still hold, and send the last spans."""
        for background in self._background:
            background.close()
