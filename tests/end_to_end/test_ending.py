"""How the process ends, and what it does when a part of it ends by force."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve.store.store import Store
from tests.load import EXAMPLE, HEAD, PREDICT, load, worker_pids
from tests.model_files import good_files
from tests.raw_http import connect, get, post, read_answer, read_answers
from tests.server_process import DEADLINE, ROOT, Server, promote, running_server
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("ending") / "store")
    promote(store, good_files()["loans"])
    return store


@pytest.fixture
def server(tmp_path: Path, store: Store) -> Iterator[Server]:
    with running_server(tmp_path, store.path, SERVE_DRAIN_SECONDS="30") as server:
        yield server


def is_ready(server: Server) -> bool:
    return server.request("GET", "/health/ready").status == 200


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_at_sigterm_what_is_in_flight_is_answered_and_what_is_idle_is_closed(server):
    with connect(server.port) as idle, connect(server.port) as sending:
        idle.sendall(PREDICT)
        assert read_answer(idle.makefile("rb")).status == 200
        sending.sendall(PREDICT[:-5])
        assert is_ready(server)
        server.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        wait_until(lambda: not is_ready(server))  # on new connections, as a balancer asks
        answer = server.request("GET", "/health/live")
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert server.process.poll() is None
        sending.sendall(PREDICT[-5:])
        (answer,) = read_answers(sending.makefile("rb"))
        assert (answer.status, answer.header("connection")) == (200, "close")
    assert server.process.wait(DEADLINE) == 0
    assert not is_listening(server.port)


def test_at_sigterm_requests_in_the_application_are_answered(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/openapi.json"))
        server.process.send_signal(signal.SIGTERM)
        assert [answer.status for answer in read_answers(stream)] == [200]
    assert server.process.wait(DEADLINE) == 0


def ask_until_closed(port: int, request: bytes, first: threading.Barrier) -> str | None:
    """Ask again and again on one connection; return what its last answer said of the connection."""
    with connect(port) as client, client.makefile("rb") as stream:
        persistence, asked = None, 0
        while persistence is None:
            client.sendall(request)
            answer = read_answer(stream)
            assert answer is not None, "a request was lost"
            assert answer.status == 200
            persistence, asked = answer.header("connection"), asked + 1
            if asked == 20:
                first.wait(DEADLINE)
        assert stream.read() == b""
        return persistence


@pytest.mark.parametrize("target", ["lane", "application", "large"])
def test_at_sigterm_no_busy_caller_loses_a_request(server, target):
    rows = b"[" + b",".join([json.dumps(EXAMPLE).encode()] * 3000) + b"]"
    request = {
        "lane": PREDICT,
        "application": get("/api/v2/model"),
        "large": post(rows, path="/api/v2/predict/batch"),
    }[target]
    callers = 4 if target == "large" else 16
    first = threading.Barrier(callers + 1)
    with ThreadPoolExecutor(callers) as pool:
        ends = [pool.submit(ask_until_closed, server.port, request, first) for _ in range(callers)]
        first.wait(DEADLINE)
        server.process.send_signal(signal.SIGTERM)
        assert [end.result(DEADLINE) for end in ends] == ["close"] * callers
    assert server.process.wait(DEADLINE) == 0


def test_a_load_at_sigterm_gets_whole_answers_or_none(server):
    with load(server.port, 4, PREDICT, get("/health/live")) as clients:
        wait_until(lambda: len(clients.answers) > 100)
        assert server.stop() == 0
    assert {answer.status for answer in clients.answers} == {200}
    # A closed connection, a refused one: never half an answer.
    assert [text for text in clients.broken if "within" in text] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_that_never_ends_does_not_hold_the_end_up_for_longer_than_the_limit(tmp_path, store, workers):
    told = {"SERVE_DRAIN_SECONDS": "1", "SERVE_RECEIVE_SECONDS": "600", "SERVE_WORKERS": workers}
    with running_server(tmp_path, store.path, **told) as server, connect(server.port) as client:
        client.sendall(HEAD + b"Content-Length: 500\r\n\r\n{")
        assert is_ready(server)
        assert server.stop() == 0
    assert "too late" not in server.log.read_text()  # the worker ended by itself


def test_a_killed_worker_is_replaced_and_the_other_answers_meanwhile(tmp_path, store):
    with running_server(tmp_path, store.path, SERVE_WORKERS="2") as server:
        wait_until(lambda: len(worker_pids(server.process.pid)) == 2)
        with load(server.port, 4, PREDICT) as clients:
            wait_until(lambda: len(clients.answers) > 100)
            first = worker_pids(server.process.pid)[0]
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: len(set(worker_pids(server.process.pid)) - {first}) == 2)
        assert {answer.status for answer in clients.answers} == {200}
        assert len(clients.broken) <= 4  # whoever was connected to it
        assert "is started again" in server.log.read_text()
        assert server.stop() == 0


def test_the_workers_of_a_killed_parent_end_by_themselves_and_free_the_port(tmp_path, store):
    with running_server(tmp_path, store.path, SERVE_WORKERS="2") as server:
        pids = worker_pids(server.process.pid)
        server.process.kill()
        server.process.wait(DEADLINE)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
        assert not is_listening(server.port)


def test_workers_whose_parent_is_killed_while_they_start_end_by_themselves(tmp_path, store):
    command = [sys.executable, "-m", "serve"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SERVE_STORE": str(store.path), "PORT": "0"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: worker_pids(process.pid))
        pids = worker_pids(process.pid)
        assert pids
    finally:
        process.kill()
        process.wait(DEADLINE)
        process.stderr.close()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_a_port_in_use_is_one_clear_line_and_a_code_that_is_not_0(server, store, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SERVE_STORE": str(store.path)}
    for name, port in (("PORT", str(server.port)), ("SERVE_METRICS_ADDRESS", f"127.0.0.1:{server.port}")):
        told = environment | {"PORT": "0"} | {name: port}
        ended = subprocess.run(
            [sys.executable, "-m", "serve"], cwd=tmp_path, env=told, capture_output=True, text=True, timeout=DEADLINE
        )
        assert ended.returncode not in (0, None)
        assert json.loads(ended.stderr)["message"].startswith(
            f"serve: can't listen on 127.0.0.1:{server.port}: Address already in use"
        )
        assert ended.stderr.count("\n") == 1
