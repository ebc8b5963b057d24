"""What the service says of itself: metrics for Prometheus, and one JSON line a request. Never an applicant's value."""

import logging
import random
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from serve.metrics import exposition
from serve.metrics.counters import Key, Tallies
from serve.metrics.exposition import BUCKETS
from serve.store.live import Loaded

REFUSALS = ("400", "408", "413", "431", "503")  # of the connection; an alert sees a first one only if there was a zero
log = logging.getLogger("serve.request")


class Observer:
    """Counts and logs; what several workers count is added up once they share a folder."""

    def __init__(self, log_share: float = 0.0) -> None:
        """log_share: of the requests, 0 to 1, that get a line in the log."""
        self._log_share = log_share
        self._tallies = tallies = Tallies()
        self._lock = tallies.lock
        self._answers: dict[tuple[str, str, int], list[float]] = {}
        self._decisions: dict[int, tuple[Loaded, list[float]]] = {}
        self._models: list[Key] = []
        for status in REFUSALS:
            tallies.row((exposition.REJECTED, status))
        for result in ("taken", "refused"):
            tallies.row((exposition.SWAPS, result))
        tallies.set({(exposition.WORKERS,): 1})
        self.gauge(0, 0)

    @property
    def tallies(self) -> Tallies:
        """This worker's tallies, for whoever else counts in it."""
        return self._tallies

    def share(self, path: Path) -> None:
        """Add up with the other workers from now on; `path` is this worker's own, in the folder of all."""
        self._tallies.add((exposition.STARTS,))
        self._tallies.share(path)

    def answered(
        self,
        route: str,
        method: str,
        status: int,
        seconds: float,
        decision_id: str = "",
        traceparent: str = "",
        version: str = "",
    ) -> None:
        """Count one answer of a route, and log it if it falls into the share that is logged."""
        row = self._answers.get((route, method, status))
        if row is None:
            key = (exposition.SECONDS, route, method, str(status))
            row = self._answers[route, method, status] = self._tallies.row(key, len(BUCKETS) + 2)
        bucket = bisect_left(BUCKETS, seconds)
        with self._lock:
            row[bucket] += 1
            row[-1] += seconds
        if self._log_share and random.random() < self._log_share:
            fields = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 3)}
            fields |= {"decision_id": decision_id} if decision_id else {}
            fields |= {"model_version": version} if version else {}
            fields |= {"trace_id": traceparent[3:35], "parent_id": traceparent[36:52]} if traceparent else {}
            log.info("request", extra={"fields": fields})

    def decided(self, loaded: Loaded, code: int, count: int = 1) -> None:
        """Count decisions of one code by one model."""
        known = self._decisions.get(code)
        if known is None or known[0] is not loaded:
            known = self._decisions[code] = (loaded, self._decision_row(loaded, code))
        with self._lock:
            known[1][0] += count

    def _decision_row(self, loaded: Loaded, code: int) -> list[float]:
        return self._tallies.row((exposition.DECISIONS, loaded.scorer.contract.label(code), loaded.pointer.version))

    def rejected(self, status: int) -> None:
        """Count a request that reached no route: not HTTP, too slow, too large, or one too many."""
        self._tallies.add((exposition.REJECTED, str(status)))

    def used_key(self, name: str) -> None:
        """Count a request that came with the valid key of this name."""
        self._tallies.add((exposition.KEY_USES, name))

    def recorded(self, result: str, count: int) -> None:
        """Count decisions by what became of their record: logged, dropped, or refused without one."""
        self._tallies.add((exposition.LOG_RECORDS, result), count)

    def swapped(self, old: Loaded | None, new: Loaded | None) -> None:
        """Count a model that was taken, or, where `new` is None, refused."""
        self._tallies.add((exposition.SWAPS, "taken" if new else "refused"))
        if new is None:
            return
        for code in (0, 1):
            self._decision_row(new, code)
        self._tallies.drop(self._models)  # only what answers and what did before stand side by side
        self._models = models = [
            (exposition.MODEL_WORKERS, each.pointer.version, each.scorer.sha256) for each in (old, new) if each
        ]
        self._tallies.set(dict.fromkeys(models, 0) | {models[-1]: 1, (exposition.LOADED_AT,): time.time()})

    def gauge(self, connections: int, in_flight: int) -> None:
        """Note how many connections are open and how many requests are being answered; publish everything."""
        self._tallies.set({(exposition.CONNECTIONS,): connections, (exposition.IN_FLIGHT,): in_flight})
        self._tallies.publish()

    def exposition(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        return exposition.expose(self._tallies.together())

    def metrics_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer `GET /metrics`: a WSGI application of its own, for an address of its own."""
        found = environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in ("GET", "HEAD")
        kind = exposition.CONTENT_TYPE if found else "application/json"
        start_response("200 OK" if found else "404 Not Found", [("Content-Type", kind)])
        return [self.exposition() if found else b'{"error":"expected GET /metrics"}']


class RegistryStatus(Protocol):
    """How the following of a registry goes: unix time of the last success, failures in a row since."""

    last_success: float
    failures: int


class RegistryObserver:
    """The gauges of whoever follows the registry, in a process of its own beside the workers."""

    def __init__(self, path: Path) -> None:
        """`path` is this process's own, in the folder that the workers share."""
        self._tallies = Tallies()
        self._tallies.share(path)

    def report(self, status: RegistryStatus) -> None:
        """Publish how the following goes."""
        self._publish(exposition.REGISTRY_SUCCESS, exposition.REGISTRY_FAILURES, status)

    def report_shadow(self, status: RegistryStatus) -> None:
        """Publish how the following of the challenger's alias goes."""
        self._publish(exposition.SHADOW_REGISTRY_SUCCESS, exposition.SHADOW_REGISTRY_FAILURES, status)

    def _publish(self, success: str, failures: str, status: RegistryStatus) -> None:
        self._tallies.set({(success,): status.last_success, (failures,): status.failures})
        self._tallies.publish()
