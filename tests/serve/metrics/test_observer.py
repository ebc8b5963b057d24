import json
import logging
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from serve.metrics.correlation import Correlation
from serve.metrics.log_format import JSONFormatter
from serve.metrics.observer import Observer, make_registry_reports
from serve.store.live import LiveModel
from tests.exposition import read_series

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


LABELS = {
    "loan_request_seconds_count": ("route", "method", "status"),
    "loan_request_seconds_sum": ("route", "method", "status"),
    "loan_request_seconds_bucket": ("route", "method", "status", "le"),
    "loan_decisions_total": ("label", "version"),
    "loan_model_workers": ("version", "sha256"),
    "loan_model_swaps_total": ("result",),
    "loan_rejected_total": ("status",),
}


def read(observer: Observer, name: str) -> dict[tuple[str, ...], float]:
    return read_series(observer.expose().decode(), name, *LABELS.get(name, ()))


def test_a_shared_observer_names_its_process_and_its_parent_and_an_unshared_one_none(tmp_path):
    observer = Observer(revision="abc")
    assert "process_open_fds" not in observer.expose().decode()
    observer.share(tmp_path / "worker 1")
    processes = read_series(observer.expose().decode(), "process_open_fds", "process")
    assert processes.keys() == {("worker 1",), ("parent",)}
    assert 'revision="abc"' in observer.expose().decode()


def test_metrics_come_in_the_format_that_the_scraper_accepts():
    observer, started = Observer(), []
    environ = {"PATH_INFO": "/metrics", "REQUEST_METHOD": "GET", "HTTP_ACCEPT": "application/openmetrics-text"}
    (text,) = observer.metrics_app(environ, lambda *head: started.append(head))
    assert text.endswith(b"# EOF\n")
    assert started == [("200 OK", [("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")])]


@pytest.fixture
def live(shelf) -> LiveModel:
    return LiveModel(shelf.store)


@pytest.fixture
def observer(live) -> Observer:
    """An observer of the live model."""
    observer = Observer()
    live.on_swap = observer.swapped
    return observer


def test_answers_are_counted_by_route_method_and_status(observer):
    for status, count in ((200, 3), (422, 2)):
        for _ in range(count):
            observer.answered("/api/v2/predict", "POST", status, 0.002)
    key = ("/api/v2/predict", "POST")
    assert read(observer, "loan_request_seconds_count") == {(*key, "200"): 3, (*key, "422"): 2}
    assert read(observer, "loan_request_seconds_sum")[*key, "200"] == pytest.approx(0.006)


def test_each_latency_falls_into_the_buckets_that_reach_it(observer):
    for seconds in (0, 0.0001, 0.00011, 10.0, 10.1, 1e9):
        observer.answered("/", "GET", 200, seconds)
    buckets = {float(le): count for (*_, le), count in read(observer, "loan_request_seconds_bucket").items()}
    assert (buckets[0.0001], buckets[0.00025], buckets[2.5], buckets[10.0], buckets[inf]) == (2, 3, 3, 4, 6)
    assert list(buckets.values()) == sorted(buckets.values())


def test_decisions_are_counted_by_label_and_version_from_zero(observer, live, shelf):
    shelf.promote("loans", version="7")
    live.refresh()
    approved, denied = (live.current.scorer.contract.label(code) for code in (1, 0))
    assert read(observer, "loan_decisions_total") == {(approved, "7"): 0, (denied, "7"): 0}
    observer.decided(live.current, 1)
    observer.decided(live.current, 1, 500)
    observer.decided(live.current, 0, 0)
    assert read(observer, "loan_decisions_total") == {(approved, "7"): 501, (denied, "7"): 0}


def test_after_a_swap_the_old_model_has_no_worker_and_new_decisions_are_the_new_ones(observer, live, shelf):
    first = shelf.promote("loans", version="7")
    live.refresh()
    observer.decided(live.current, 1)
    loaded = read(observer, "loan_model_loaded_timestamp_seconds")[()]
    second = shelf.promote("loans_strict", version="8")
    live.refresh()
    observer.decided(live.current, 1)
    assert read(observer, "loan_model_workers") == {("7", first.sha256): 0, ("8", second.sha256): 1}
    assert read(observer, "loan_decisions_total")[live.current.scorer.contract.label(1), "8"] == 1
    assert read(observer, "loan_model_loaded_timestamp_seconds")[()] > loaded
    assert read(observer, "loan_model_swaps_total") == {("taken",): 2, ("refused",): 0}


def test_models_before_the_last_two_have_no_gauge(observer, live, shelf):
    for version in range(10):
        shelf.promote(("loans", "loans_strict")[version % 2], version=str(version))
        live.refresh()
    assert {version: value for (version, _), value in read(observer, "loan_model_workers").items()} == {"8": 0, "9": 1}


def test_a_refused_model_is_counted_and_the_old_one_stays(observer, live, shelf):
    pointer = shelf.promote("loans")
    live.refresh()
    shelf.store.pointer_path.write_text("garbage")
    live.refresh()
    live.refresh()
    assert read(observer, "loan_model_swaps_total") == {("taken",): 1, ("refused",): 1}
    assert read(observer, "loan_model_workers") == {("1", pointer.sha256): 1}


def test_rejected_requests_are_counted_from_zero(observer):
    assert set(read(observer, "loan_rejected_total").values()) == {0}
    observer.rejected(413)
    observer.rejected(503)
    observer.rejected(503)
    rejected = {key: value for key, value in read(observer, "loan_rejected_total").items() if value}
    assert rejected == {("413",): 1, ("503",): 2}


def test_several_workers_are_one_in_the_metrics(tmp_path, shelf):
    shelf.promote("loans", version="7")
    observers, loaded = [], []
    for number in (1, 2):
        live, observer = LiveModel(shelf.store), Observer()
        live.on_swap = observer.swapped
        live.refresh()
        loaded.append(read(observer, "loan_model_loaded_timestamp_seconds")[()])
        observer.share(tmp_path / f"worker {number}")
        observer.answered("/", "GET", 200, 0.001)
        observer.gauge(connections=number, in_flight=0)
        observers.append(observer)
    for observer in observers:
        assert read(observer, "loan_request_seconds_count") == {("/", "GET", "200"): 2}
        assert list(read(observer, "loan_model_workers").values()) == [2]
        assert [read(observer, f"loan_{name}")[()] for name in ("workers", "connections")] == [2, 3]
        assert read(observer, "loan_worker_starts_total")[()] == 2
        assert read(observer, "loan_model_loaded_timestamp_seconds")[()] == loaded[0] < loaded[1]


@dataclass
class FollowerStatus:
    last_success: float
    failures: int


def test_the_state_of_the_registry_watcher_is_shown_beside_the_workers(tmp_path):
    observer = Observer()
    observer.share(tmp_path / "worker 1")
    reports = make_registry_reports(tmp_path / "registry")
    assert read(observer, "loan_registry_failures") == {}
    reports["report"](FollowerStatus(0.0, 1))
    reports["report"](FollowerStatus(1_700_000_000.5, 3))
    assert read(observer, "loan_registry_last_success_timestamp_seconds") == {(): 1_700_000_000.5}
    assert read(observer, "loan_registry_failures") == {(): 3}
    assert read(observer, "loan_workers") == {(): 1}
    processes = read_series(observer.expose().decode(), "process_open_fds", "process")
    assert ("registry",) in processes
    assert read(observer, "loan_shadow_registry_failures") == {}
    reports["report_shadow"](FollowerStatus(1_700_000_001.5, 4))
    assert read(observer, "loan_shadow_registry_last_success_timestamp_seconds") == {(): 1_700_000_001.5}
    assert read(observer, "loan_shadow_registry_failures") == {(): 4}
    assert read(observer, "loan_registry_failures") == {(): 3}


def ask(observer: Observer, method: str, path: str) -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    body = observer.metrics_app({"REQUEST_METHOD": method, "PATH_INFO": path}, lambda *args: started.extend(args))
    return started[0], dict(started[1]), b"".join(body)


def test_the_metrics_are_at_one_address(observer):
    status, headers, body = ask(observer, "GET", "/metrics")
    assert (status, headers["Content-Type"]) == ("200 OK", "text/plain; version=0.0.4; charset=utf-8")
    assert b"# TYPE loan_request_seconds histogram" in body
    assert ask(observer, "HEAD", "/metrics")[::2] == ("200 OK", body)  # for Content-Length; the server drops it
    for method, path in (("POST", "/metrics"), ("GET", "/"), ("GET", "/metrics/")):
        assert ask(observer, method, path)[::2] == ("404 Not Found", b'{"error":"expected GET /metrics"}')


def log_lines(caplog) -> list[dict[str, Any]]:
    return [json.loads(JSONFormatter().format(record)) for record in caplog.records if record.name == "serve.request"]


@pytest.mark.parametrize(("share", "lines"), [(1.0, 50), (0.0, 0)])
def test_all_requests_are_logged_or_none(caplog, share, lines):
    caplog.set_level(logging.INFO, logger="serve")
    observer = Observer(share)
    for _ in range(50):
        observer.answered("/", "GET", 200, 0.001)
    assert len(log_lines(caplog)) == lines


def test_a_share_in_between_logs_some(caplog):
    caplog.set_level(logging.INFO, logger="serve")
    observer = Observer(0.5)
    for _ in range(2000):
        observer.answered("/", "GET", 200, 0.001)
    assert 800 < len(log_lines(caplog)) < 1200


def test_a_line_has_the_request_and_no_more(caplog):
    caplog.set_level(logging.INFO, logger="serve")
    observer = Observer(1.0)
    observer.answered("/api/v2/predict", "POST", 200, 0.0012345, "an-id", "7", Correlation(TRACE, "a=1", "lab-4711"))
    observer.answered("none", "other", 404, 0.001)
    first, second = ({k: v for k, v in line.items() if k not in ("time", "pid")} for line in log_lines(caplog))
    common = {"level": "info", "logger": "serve.request", "message": "request"}
    assert first == common | {
        "method": "POST",
        "route": "/api/v2/predict",
        "status": 200,
        "milliseconds": 1.234,
        "decision_id": "an-id",
        "model_version": "7",
        "trace_id": TRACE[3:35],
        "parent_id": TRACE[36:52],
        "request_id": "lab-4711",
    }
    assert second == common | {"method": "other", "route": "none", "status": 404, "milliseconds": 1.0}
