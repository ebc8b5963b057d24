"""The prediction log of a real server process: every answered decision, whatever happens to process and disk."""

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from serve.store.store import Store
from tests.file_locks import is_locked
from tests.load import EXAMPLE, PREDICT, load, worker_pids
from tests.model_files import good_files
from tests.raw_http import exchange, post
from tests.server_process import Server, find_free_port, promote, running_server
from tests.waiting import wait_until

KEYED = post(json.dumps(EXAMPLE).encode(), "X-Applicant-Key: customer-85125")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("logged") / "store")
    promote(store, good_files()["loans"], version="7")
    return store


def lines(folder: Path, kind: str = "decisions") -> list[dict[str, Any]]:
    """Return the lines of a log; only the last of a file may be torn, and is left out then."""
    found = []
    for path in sorted((folder / kind).rglob("*.jsonl")):
        *whole, _torn = path.read_bytes().split(b"\n")
        found += [json.loads(line) for line in whole]
    return found


def has_torn_line(folder: Path) -> bool:
    return any(not path.read_bytes().endswith(b"\n") for path in (folder / "decisions").rglob("*.jsonl"))


def metrics(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    rows = [line.rpartition(" ") for line in text.splitlines() if line.startswith("loan_prediction_log_records_total")]
    return {name.split('"')[1]: float(value) for name, _, value in rows}


@pytest.mark.parametrize("mode", ["drop", "required"])
def test_every_route_is_logged_before_the_process_ends(tmp_path: Path, store: Store, mode: str) -> None:
    folder = tmp_path / "predictions/loans"
    ids = []
    with running_server(
        tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder), SERVE_PREDICTION_LOG_MODE=mode, SERVE_WORKERS="2"
    ) as server:
        for path in ("/api/v2/predict", "/api/v2/decision"):
            ids.append(server.request("POST", path, EXAMPLE).headers["X-Decision-Id"])
        columns = {name: [value, value] for name, value in EXAMPLE.items()}
        frame = {"dataframe_records": [EXAMPLE]}
        tensors = [{"name": k, "datatype": "FP64", "shape": [1], "data": [v]} for k, v in EXAMPLE.items()]
        infer = "/v2/models/loan_approval_model/infer"
        for path, body in (
            ("/api/v2/predict/batch", columns),
            ("/invocations", frame),
            (infer, {"inputs": tensors}),
        ):
            answer = server.request("POST", path, body)
            assert answer.status == 200
            ids += [f"{answer.headers['X-Decision-Id']}.{row}" for row in range(2 if body is columns else 1)]
        assert server.stop() == 0
    logged = lines(folder)
    assert sorted(line["decision_id"] for line in logged) == sorted(ids)
    assert {line["route"] for line in logged} == {
        *("/api/v2/predict", "/api/v2/decision", "/api/v2/predict/batch", "/invocations"),
        "/v2/models/<name>/infer",
    }
    assert not has_torn_line(folder)


def test_process_killed_under_load_leaves_whole_lines_and_required_ones_all(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "log"
    with running_server(
        tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder), SERVE_PREDICTION_LOG_MODE="required"
    ) as server:
        before = worker_pids(server.process.pid)
        with load(server.port, 4, PREDICT, KEYED) as result:
            wait_until(lambda: len(result.answers) > 500)
            os.kill(before[0], signal.SIGKILL)
        answered = {a.header("x-decision-id") for a in result.answers if a.status == 200}
    logged = [line["decision_id"] for line in lines(folder)]
    assert len(set(logged)) == len(logged)
    assert answered <= set(logged)


def test_process_killed_in_mode_drop_loses_nothing_but_the_end(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "log"
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder)) as server:
        (worker,) = worker_pids(server.process.pid)
        with load(server.port, 1, PREDICT) as result:
            wait_until(lambda: len(lines(folder)) > 300)
            os.kill(worker, signal.SIGKILL)
        answered = [answer.header("x-decision-id") for answer in result.answers]
    logged = [line["decision_id"] for line in lines(folder) if line["decision_id"] in set(answered)]
    (path,) = (path for path in folder.rglob("*.jsonl") if f"-{worker}-" in path.name)
    of_the_killed = path.read_bytes().count(b"\n")
    assert len(set(logged)) == len(logged)
    assert logged[:of_the_killed] == answered[:of_the_killed]


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Have the kernel refuse the worker every byte it writes to a file, as a full disk does."""
    (worker,) = worker_pids(server.process.pid)
    before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, before)


def ask(server: Server) -> tuple[int, str | None, str | None]:
    answer = server.request("POST", "/api/v2/predict", EXAMPLE)
    return answer.status, answer.headers["X-Decision-Id"], answer.headers["Retry-After"]


def test_full_disk_costs_records_but_no_answer_in_mode_drop(tmp_path: Path, store: Store) -> None:
    folder, port = tmp_path / "log", find_free_port()
    address = {"SERVE_METRICS_ADDRESS": f"127.0.0.1:{port}"}
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder), **address) as server:
        first = ask(server)
        wait_until(lambda: len(lines(folder)) == 1)
        (path,) = folder.rglob("*.jsonl")
        with full_disk(server):
            batch = server.request("POST", "/api/v2/predict/batch", {name: [v] * 5 for name, v in EXAMPLE.items()})
            wait_until(lambda: not is_locked(path))  # the writer leaves a file that it can't write to
        last = ask(server)
        wait_until(lambda: len(lines(folder)) == 2)
        wait_until(lambda: metrics(port)["logged"] == 2)
        assert metrics(port) == {"logged": 2, "dropped": 5, "refused": 0}
        assert server.stop() == 0
    assert batch.status == 200
    assert sorted(line["decision_id"] for line in lines(folder)) == sorted([first[1], last[1]])
    assert "goes on, records missing: 5" in server.log.read_text()


def test_full_disk_means_503_in_mode_required(tmp_path: Path, store: Store) -> None:
    folder, port = tmp_path / "log", find_free_port()
    told = {"SERVE_METRICS_ADDRESS": f"127.0.0.1:{port}", "SERVE_PREDICTION_LOG_MODE": "required"}
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder), **told) as server:
        first = ask(server)
        with full_disk(server):
            answer = server.request("POST", "/api/v2/predict", EXAMPLE)
            batch = server.request("POST", "/api/v2/predict/batch", {name: [v] for name, v in EXAMPLE.items()})
        last = ask(server)
        assert metrics(port) == {"logged": 2, "dropped": 0, "refused": 2}
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json == {"error": "the decision can't be put on record, try again later"}
    assert batch.status == 503
    assert sorted(line["decision_id"] for line in lines(folder)) == sorted([first[1], last[1]])


def test_file_is_finished_on_request_while_the_server_answers(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "log"
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder)) as server:
        ask(server)
        wait_until(lambda: len(lines(folder)) == 1)
        (path,) = folder.rglob("*.jsonl")
        request = path.with_name(f"{path.name}.rotate")
        request.touch()
        wait_until(lambda: not request.exists())
        path.unlink()
        ask(server)
        wait_until(lambda: len(lines(folder)) == 1)
        assert path not in list(folder.rglob("*.jsonl"))


def test_nothing_of_an_applicant_is_in_logs_metrics_and_refusals(tmp_path: Path, store: Store) -> None:
    folder, port = tmp_path / "log", find_free_port()
    told = {"SERVE_METRICS_ADDRESS": f"127.0.0.1:{port}", "SERVE_REQUEST_LOG": "1"}
    marked, key = EXAMPLE | {"Annual_Income": 85125.25}, {"X-Applicant-Key": "customer-471147"}
    wrong = marked | {"Age": 999985125, "shoe size 85125": 1}
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder), **told) as server:
        for body, status in ((marked, 200), (wrong, 422)):
            kind = {"Content-Type": "application/json"}
            answer = server.request("POST", "/api/v2/predict", json.dumps(body).encode(), kind | key)
            assert answer.status == status
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            said = answer.read().decode()
        assert server.stop() == 0
    said += server.log.read_text() + "".join(path.read_text() for path in (folder / "refusals").rglob("*.jsonl"))
    assert "85125" not in said
    assert "471147" not in said
    (line,) = lines(folder)
    assert line["input.Annual_Income"] == 85125.25
    assert "471147" not in json.dumps(line)
    assert len(line["applicant"]) == 64
    kinds = {(each["field"], each["kind"]) for each in lines(folder, "refusals")}
    assert kinds == {("Age", "out_of_range"), ("(unknown)", "unknown_field")}


def test_requests_refused_before_they_have_a_route_are_among_the_refusals(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "log"
    head = b"POST /api/v2/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(folder), SERVE_RECEIVE_SECONDS="0.5") as server:
        early = (b"Content-Length: 99999999\r\n\r\n", b"A: " + b"secret" * 9999 + b"\r\n\r\n", b"Content-Length: 9\r\n")
        statuses = [exchange(server.port, head + rest)[0].status for rest in (*early, b"Content-Length: x\r\n\r\n")]
        assert statuses == [413, 431, 408, 400]
        assert server.stop() == 0
    found = [(line["route"], line["field"], line["kind"], line["count"]) for line in lines(folder, "refusals")]
    assert sorted(found) == [("", "", kind, 1) for kind in ("long_headers", "too_large", "too_slow")]


def test_folder_that_cannot_be_written_stops_the_start_in_mode_required(tmp_path: Path, store: Store) -> None:
    (tmp_path / "log").write_text("a file")
    told = {"SERVE_PREDICTION_LOG": str(tmp_path / "log"), "SERVE_PREDICTION_LOG_MODE": "required"}
    refused = pytest.raises(AssertionError, match=r"SERVE_PREDICTION_LOG=.*can't be written")
    with refused, running_server(tmp_path, store.path, **told):
        pass


def test_folder_that_cannot_be_written_costs_records_in_mode_drop(tmp_path: Path, store: Store) -> None:
    (tmp_path / "log").write_text("a file")
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(tmp_path / "log")) as server:
        assert ask(server)[0] == 200
        wait_until(lambda: "the prediction log can't be written" in server.log.read_text())
        (tmp_path / "log").unlink()
        ask(server)
        wait_until(lambda: len(lines(tmp_path / "log")) == 1)
    assert "SERVE_PREDICTION_LOG=" in server.log.read_text()
