"""Counts events for Prometheus, logs requests as JSON lines, makes their spans. No applicant's value gets into any."""

import logging
import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from serve.metrics import names
from serve.metrics.correlation import NOTHING, Correlation
from serve.metrics.counters import Tallies
from serve.metrics.names import BUCKETS, PARENT
from serve.metrics.tracing import Tracer
from serve.store.live import Loaded

REFUSALS = ("400", "408", "413", "431", "503")  # by connections; counted from 0, so that an alert sees the first one
log = logging.getLogger("serve.request")


class Observer:
    """Counts and logs the events of one worker; `tallies` may be shared with other workers through a folder."""

    def __init__(self, log_share: float = 0.0, revision: str = "", tracer: Tracer | None = None) -> None:
        """log_share: the share of requests that are logged, 0 to 1.   revision: the commit of this build."""
        self._log_share, self._revision, self._tracer = log_share, revision, tracer
        self.reports = log_share > 0 or tracer is not None  # whether `report` does anything
        self.tallies = tallies = Tallies()
        self._lock = tallies.lock
        for status in REFUSALS:
            tallies.row((names.REJECTED, status))
        for result in ("taken", "refused"):
            tallies.row((names.SWAPS, result))
        tallies.set({(names.WORKERS,): 1})
        self.gauge(0, 0)

    def share(self, path: Path) -> None:
        """Publish the tallies from now on; `path` is this worker's own, in the folder of all workers."""
        import serve.metrics.exposition  # noqa: F401 - who shares will be scraped, and no scrape waits for an import

        self.tallies.add((names.STARTS,))
        pids = {PARENT: os.getppid(), path.name: os.getpid()}
        self.tallies.set({(names.PROCESS, name): pid for name, pid in pids.items()})
        self.tallies.share(path)

    def answered(
        self,
        route: str,
        method: str,
        status: int,
        seconds: float,
        decision_id: str = "",
        version: str = "",
        sent: Correlation = NOTHING,
    ) -> None:
        """Count one response of a route, and report it."""
        row = self._answer_row(route, method, status)
        bucket = bisect_left(BUCKETS, seconds)
        with self._lock:
            row[bucket] += 1
            row[-1] += seconds
        if self.reports:
            self.report(route, method, status, seconds, decision_id, version, sent)

    def _answer_row(self, route: str, method: str, status: int) -> list[float]:
        return self.tallies.row((names.SECONDS, route, method, str(status)), len(BUCKETS) + 2)

    def report(
        self, route: str, method: str, status: int, seconds: float, decision_id: str, version: str, sent: Correlation
    ) -> None:
        """Log one response, if it is among the random share, and make its span."""
        if random.random() < self._log_share:
            fields = {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 3)}
            fields |= {"decision_id": decision_id} if decision_id else {}
            fields |= {"model_version": version} if version else {}
            trace = sent.traceparent
            fields |= {"trace_id": trace[3:35], "parent_id": trace[36:52]} if trace else {}
            fields |= {"request_id": sent.request_id} if sent.request_id else {}
            log.info("request", extra={"fields": fields})
        if self._tracer:
            self._tracer.record(route, method, status, seconds, decision_id, version, sent)

    def count_decisions(self, route: str, loaded: Loaded) -> Callable[[int, float], None]:
        """Return a function that counts a decision of one model (code, seconds) and its response, 200 to a POST."""
        answers = self._answer_row(route, "POST", 200)
        decisions = [self._decision_row(loaded, code) for code in (0, 1)]

        def count(code: int, seconds: float) -> None:
            bucket = bisect_left(BUCKETS, seconds)
            with self._lock:
                answers[bucket] += 1
                answers[-1] += seconds
                decisions[code][0] += 1

        return count

    def decided(self, loaded: Loaded, code: int, count: int = 1) -> None:
        """Count decisions of one code by one model."""
        row = self._decision_row(loaded, code)
        with self._lock:
            row[0] += count

    def _decision_row(self, loaded: Loaded, code: int) -> list[float]:
        return self.tallies.row((names.DECISIONS, loaded.scorer.contract.label(code), loaded.pointer.version))

    def rejected(self, status: int) -> None:
        """Count a request that reached no route: malformed, too slow, too large, or one too many."""
        self.tallies.add((names.REJECTED, str(status)))

    def used_key(self, name: str) -> None:
        """Count a request with the valid key of this name."""
        self.tallies.add((names.KEY_USES, name))

    def recorded(self, result: str, count: int) -> None:
        """Count decisions by the result of logging them: logged, dropped, or refused since they could not be logged."""
        self.tallies.add((names.LOG_RECORDS, result), count)

    def swapped(self, old: Loaded | None, new: Loaded | None) -> None:
        """Count a model that was loaded, or, where `new` is None, refused."""
        self.tallies.add((names.SWAPS, "taken" if new else "refused"))
        if new is None:
            return
        for code in (0, 1):
            self._decision_row(new, code)
        key = names.MODEL_WORKERS
        models = {(key, each.pointer.version, each.scorer.sha256): int(each is new) for each in (old, new) if each}
        self.tallies.forget(key)  # older models than these two
        self.tallies.set(models | {(names.LOADED_AT,): time.time()})

    def gauge(self, connections: int, in_flight: int) -> None:
        """Publish the counts, how many connections are open, and how many requests are being answered."""
        self.tallies.set({(names.CONNECTIONS,): connections, (names.IN_FLIGHT,): in_flight})
        self.tallies.publish()

    def expose(self, accept: str = "") -> bytes:
        """Return the metrics of all workers in the format that a scraper accepts: see `choose_format`."""
        from serve.metrics import exposition

        encode, _ = exposition.choose_format(accept)
        return exposition.expose(self.tallies.together(), self._revision, encode)

    def metrics_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer `GET /metrics`: a WSGI application of its own, for an address of its own."""
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("404 Not Found", [("Content-Type", "application/json")])
            return [b'{"error":"expected GET /metrics"}']
        from serve.metrics import exposition

        accept = environ.get("HTTP_ACCEPT", "")
        start_response("200 OK", [("Content-Type", exposition.choose_format(accept)[1])])
        return [self.expose(accept)]


def make_registry_reports(path: Path) -> dict[str, Callable[[Any], None]]:
    """Return the two functions that `registry.watcher.watch` reports to, by the names of its parameters.

    path: for its gauges, in the folder that the workers share.   Each function takes a `registry.follower.Status`.
    """
    tallies = Tallies()
    tallies.share(path)
    tallies.set({(names.PROCESS, path.name): os.getpid()})

    def publish(success: str, failures: str, status: Any) -> None:
        tallies.set({(success,): status.last_success, (failures,): status.failures})
        tallies.publish()

    return {
        "report": partial(publish, names.REGISTRY_SUCCESS, names.REGISTRY_FAILURES),
        "report_shadow": partial(publish, names.SHADOW_REGISTRY_SUCCESS, names.SHADOW_REGISTRY_FAILURES),
    }
