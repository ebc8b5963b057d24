import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from serve.contract.contract import Contract
from serve.store.store import Store
from tests.end_to_end.observed import Observed, exchange, observed_server, prediction
from tests.model_files import LOANS, good_files
from tests.server_process import promote

EXAMPLE = Contract.from_dict(LOANS).example()
PREDICT = "/api/v2/predict"
BY_FLASK = "application/json;charset=utf-8"  # right, and not as the fast lane spells it
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUEST = ("route", "method", "status")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return good_files()


@pytest.fixture
def store(tmp_path, files) -> Store:
    store = Store(tmp_path / "store")
    promote(store, files["loans"], version="7")
    return store


@pytest.fixture
def two_workers(tmp_path, store):
    with observed_server(tmp_path, store.path, SERVE_WORKERS="2") as observed:
        observed.wait_until(lambda: observed.series("loan_workers") == {(): 2})
        yield observed


def worker_pids(observed: Observed) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(observed.server.process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def count(observed: Observed, *key: str) -> float:
    return observed.series("loan_request_seconds_count", *REQUEST).get(key, 0)


def test_the_sums_over_the_workers_are_what_was_sent(two_workers):
    plain, by_flask, wrong = prediction(EXAMPLE), prediction(EXAMPLE, kind=BY_FLASK), prediction({"Age": -1})
    for _ in range(20):  # connections of their own, so that both workers get some
        exchange(two_workers.server.port, plain, plain, by_flask, wrong)
    two_workers.wait_until(lambda: count(two_workers, PREDICT, "POST", "200") == 60)
    two_workers.wait_until(lambda: count(two_workers, PREDICT, "POST", "422") == 20)
    assert sum(two_workers.series("loan_decisions_total", "label", "version").values()) == 60
    labels = (*REQUEST, "le")
    buckets = two_workers.series("loan_request_seconds_bucket", *labels)
    assert buckets[PREDICT, "POST", "200", "+Inf"] == 60
    assert two_workers.series("loan_model_workers", "version", "sha256").popitem()[1] == 2


def test_each_process_is_told_by_its_name_and_a_new_worker_by_its_own_number(two_workers):
    names = {("parent",), ("worker 1",), ("worker 2",)}
    two_workers.wait_until(lambda: two_workers.series("process_start_time_seconds", "process").keys() == names)
    begun = two_workers.series("process_start_time_seconds", "process")
    for pid in worker_pids(two_workers):
        os.kill(pid, signal.SIGKILL)
    two_workers.wait_until(lambda: two_workers.series("loan_worker_starts_total") == {(): 4})
    two_workers.wait_until(lambda: two_workers.series("process_start_time_seconds", "process").keys() == names)
    again = two_workers.series("process_start_time_seconds", "process")
    assert {name for name in names if again[name] > begun[name]} == {("worker 1",), ("worker 2",)}
    assert again["parent",] == begun["parent",]


def test_prometheus_gets_openmetrics_when_it_asks_for_it(two_workers):
    address = f"http://127.0.0.1:{two_workers.metrics_port}/metrics"
    asked = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text;version=1.0.0;q=0.6,*/*"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        families = [family.name for family in text_string_to_metric_families(answer.read().decode())]
    assert "loan_decisions" in families


def test_of_killed_workers_the_counts_stay_and_nothing_piles_up(two_workers):
    exchange(two_workers.server.port, *[prediction(EXAMPLE)] * 30)
    two_workers.wait_until(lambda: count(two_workers, PREDICT, "POST", "200") == 30)
    for deaths in range(1, 6):
        for pid in worker_pids(two_workers):
            os.kill(pid, signal.SIGKILL)
        expected = 2 + 2 * deaths
        two_workers.wait_until(
            lambda expected=expected: two_workers.series("loan_worker_starts_total") == {(): expected}
        )
    two_workers.wait_until(lambda: two_workers.series("loan_workers") == {(): 2})
    assert count(two_workers, PREDICT, "POST", "200") == 30
    assert two_workers.series("loan_model_workers", "version", "sha256").popitem()[1] == 2
    # A supervisor that was killed left its folder, and may have had the same pid: the newest is this one's.
    folders = Path("/dev/shm").glob(f"serve-{two_workers.server.process.pid}-*")  # noqa: S108
    folder = max(folders, key=lambda path: path.stat().st_mtime)
    assert {path.name.removesuffix(".new") for path in folder.iterdir()} == {
        f"worker {number}.{kind}" for number in (1, 2) for kind in ("counts", "gauges")
    }
    assert two_workers.server.stop() == 0
    assert not folder.exists()


def test_a_dead_workers_gauges_vanish_with_it(tmp_path, store):
    keys = tmp_path / "keys.txt"
    keys.write_text(good := f"lab:{'0' * 64}\n")
    with observed_server(tmp_path, store.path, SERVE_WORKERS="2", SERVE_API_KEYS_FILE=str(keys)) as observed:
        observed.wait_until(lambda: observed.series("loan_workers") == {(): 2})
        keys.write_text("no worker starts with this\n")
        os.kill(worker_pids(observed)[0], signal.SIGKILL)
        observed.wait_until(lambda: observed.series("loan_workers") == {(): 1})
        assert list(observed.series("loan_model_workers", "version", "sha256").values()) == [1]
        assert observed.series("loan_worker_starts_total") == {(): 2}
        keys.write_text(good)
        observed.wait_until(lambda: observed.series("loan_workers") == {(): 2})


def test_after_a_swap_the_old_model_has_no_worker(two_workers, store, files):
    old, new = store.pointer(), promote(store, files["loans_strict"], version="8")
    expected = {(old.version, old.sha256): 0, (new.version, new.sha256): 2}
    two_workers.wait_until(lambda: two_workers.series("loan_model_workers", "version", "sha256") == expected)
    exchange(two_workers.server.port, *[prediction(EXAMPLE)] * 3)
    two_workers.wait_until(
        lambda: (
            sum(
                value
                for (_, version), value in two_workers.series("loan_decisions_total", "label", "version").items()
                if version == "8"
            )
            == 3
        )
    )
    store.pointer_path.write_text("garbage")
    two_workers.wait_until(lambda: two_workers.series("loan_model_swaps_total", "result")["refused",] == 2)
    assert two_workers.series("loan_model_workers", "version", "sha256") == expected


def test_what_no_route_saw_is_counted_as_rejected(two_workers):
    answer = exchange(two_workers.server.port, b"GET / HTTP/1.1\r\n\r\n")[0]
    assert answer.startswith(b"HTTP/1.1 400 ")
    two_workers.wait_until(lambda: two_workers.series("loan_rejected_total", "status")["400",] == 1)


def test_the_metrics_are_not_on_the_public_port_nor_the_service_on_theirs(two_workers):
    assert two_workers.server.request("GET", "/metrics").status == 404
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{two_workers.metrics_port}/health/live", timeout=30)


def test_a_traceparent_gets_the_same_bytes_from_the_lane_and_from_flask(tmp_path, store):
    with observed_server(tmp_path, store.path, SERVE_REQUEST_LOG="1") as observed:
        for header in (
            f"traceparent: {TRACE}",
            f"Traceparent:  {TRACE}",
            f"traceparent: {TRACE.upper()}",
            "traceparent:",
        ):
            requests = (prediction(EXAMPLE, header, kind=kind) for kind in ("application/json", BY_FLASK))
            by_lane, by_flask = exchange(observed.server.port, *requests)
            assert by_lane == by_flask
            assert (b"traceparent: " + TRACE.encode() in by_lane) is (TRACE in header)
        twice = prediction(EXAMPLE, f"traceparent: {TRACE}", f"traceparent: {TRACE}")
        assert b"traceparent" not in exchange(observed.server.port, twice)[0]
        observed.wait_until(lambda: count(observed, PREDICT, "POST", "200") == 9)
        logged = [line for line in observed.log_lines() if line.get("route") == PREDICT]
        traces = Counter(line.get("trace_id") for line in logged)
        assert traces == {TRACE[3:35]: 4, None: 5}


def test_each_request_gets_one_line_whichever_way_it_goes(tmp_path, store):
    with observed_server(tmp_path, store.path, SERVE_REQUEST_LOG="1") as observed:
        secret = EXAMPLE | {"Annual_Income": 4987123.25}
        exchange(
            observed.server.port,
            *[prediction(secret)] * 3,
            *[prediction(secret, kind=BY_FLASK)] * 2,
            prediction(secret | {"Age": 4987123}),
            b"GET /4987123?x=4987123 HTTP/1.1\r\nHost: x\r\nUser-Agent: 4987123\r\n\r\n",
        )
        assert observed.server.stop() == 0
    lines = [line for line in observed.log_lines() if line["message"] == "request" and line["route"] != "/health/live"]
    assert Counter((line["method"], line["route"], line["status"]) for line in lines) == {
        ("POST", PREDICT, 200): 5,
        ("POST", PREDICT, 422): 1,
        ("GET", "none", 404): 1,
    }
    decided = [line for line in lines if line["status"] == 200]
    assert len({line["decision_id"] for line in decided}) == 5
    assert {line["model_version"] for line in decided} == {"7"}
    assert all(line["pid"] != observed.server.process.pid and line["milliseconds"] >= 0 for line in lines)
    assert "4987123" not in observed.server.log.read_text()


def test_no_request_gets_a_line_unless_told(tmp_path, store):
    with observed_server(tmp_path, store.path) as observed:
        exchange(observed.server.port, *[prediction(EXAMPLE)] * 3, prediction(EXAMPLE, kind=BY_FLASK))
        assert observed.server.stop() == 0
    assert [line for line in observed.log_lines() if line["message"] == "request"] == []
