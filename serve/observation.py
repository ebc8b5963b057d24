"""What the service says of itself: metrics for Prometheus, and one JSON line a request. Never an applicant's value."""

import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from serve.live import Loaded

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
log = logging.getLogger("serve.request")


class Observer:
    """Counts and logs. With several workers each writes its own files in PROMETHEUS_MULTIPROC_DIR."""

    def __init__(self, log_share: float = 0.0) -> None:
        """log_share: of the requests, 0 to 1, that get a line in the log."""
        self.registry = registry = CollectorRegistry()
        self._log_share = log_share
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self._deciders: dict[int, tuple[Loaded, Counter]] = {}
        labels = ["route", "method", "status"]
        self._seconds = Histogram(
            "loan_request_seconds", "From a whole request to its answer", labels, buckets=BUCKETS, registry=registry
        )
        self._rejected = Counter("loan_rejected", "Requests rejected before any route", ["status"], registry=registry)
        self._decisions = Counter("loan_decisions", "Decisions", ["label", "version"], registry=registry)
        self._swaps = Counter("loan_model_swaps", "New models taken and refused", ["result"], registry=registry)
        in_all = {"multiprocess_mode": "livesum", "registry": registry}
        self._connections = Gauge("loan_connections", "Open connections", **in_all)
        self._in_flight = Gauge("loan_requests_in_flight", "Requests waiting or in the application", **in_all)
        self._model = Gauge("loan_model_workers", "Workers that answer with it", ["version", "sha256"], **in_all)
        self._loaded_at = Gauge(
            "loan_model_loaded_timestamp_seconds", "When the oldest model that answers was loaded",
            multiprocess_mode="livemin", registry=registry,
        )  # fmt: skip

    def answered(
        self, route: str, method: str, status: int, seconds: float, decision_id: str = "", traceparent: str = ""
    ) -> None:
        """Count one answer of a route, and log it if it falls into the share that is logged."""
        child = self._children.get((route, method, status))
        if child is None:
            child = self._children[route, method, status] = self._seconds.labels(route, method, status)
        child.observe(seconds)
        if self._log_share and random.random() < self._log_share:
            fields = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 3)}
            if decision_id:
                fields["decision_id"] = decision_id
            if traceparent:
                fields |= {"trace_id": traceparent[3:35], "parent_id": traceparent[36:52]}
            log.info("request", extra={"fields": fields})

    def decided(self, loaded: Loaded, code: int, count: int = 1) -> None:
        """Count decisions of one code by one model."""
        known = self._deciders.get(code)
        if known is None or known[0] is not loaded:
            label = loaded.scorer.contract.label(code)
            known = self._deciders[code] = (loaded, self._decisions.labels(label, loaded.pointer.version))
        known[1].inc(count)

    def rejected(self, status: int) -> None:
        """Count a request that reached no route: not HTTP, too slow, too large, or one too many."""
        self._rejected.labels(status).inc()

    def swapped(self, old: Loaded | None, new: Loaded | None) -> None:
        """Count a model that was taken, or, where `new` is None, refused."""
        self._swaps.labels("taken" if new else "refused").inc()
        if new:
            if old:
                self._model.labels(old.pointer.version, old.scorer.sha256).set(0)
            self._model.labels(new.pointer.version, new.scorer.sha256).set(1)
            self._loaded_at.set(time.time())

    def gauge(self, connections: int, in_flight: int) -> None:
        """Note how many connections are open and how many requests are being answered."""
        self._connections.set(connections)
        self._in_flight.set(in_flight)

    def exposition(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)
        return generate_latest(together)

    def metrics_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer `GET /metrics`: a WSGI application of its own, for an address of its own."""
        found = environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in ("GET", "HEAD")
        kind = CONTENT_TYPE_PLAIN_0_0_4 if found else "application/json"
        start_response("200 OK" if found else "404 Not Found", [("Content-Type", kind)])
        return [self.exposition() if found else b'{"error":"expected GET /metrics"}']
