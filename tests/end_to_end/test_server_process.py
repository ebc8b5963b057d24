import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.contract.contract import Contract
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import DEADLINE, Server, promote, running_server
from tests.waiting import wait_until

EXAMPLE = Contract.from_dict(LOANS).example()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return good_files()


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def server(tmp_path, store, files) -> Iterator[Server]:
    """A server with the `loans` model."""
    promote(store, files["loans"], version="7")
    with running_server(tmp_path, store.path) as server:
        yield server


@pytest.fixture
def empty_server(tmp_path, store) -> Iterator[Server]:
    """A server without a model."""
    with running_server(tmp_path, store.path) as server:
        yield server


def predicted_code(server: Server) -> int:
    return server.request("POST", "/api/v2/predict", EXAMPLE).json["prediction_code"]


def test_the_published_request_gets_the_published_answer(server, store):
    answer = server.request("POST", "/api/v2/predict", EXAMPLE)
    assert (answer.status, answer.body) == (200, b'{"prediction":"Approved","prediction_code":1}')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Model-Version"] == "7"
    assert answer.headers["X-Model-Sha256"] == store.pointer().sha256
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", answer.headers["X-Decision-Id"]
    )
    assert server.request("GET", "/").json["model_loaded"] is True


def test_a_promotion_and_a_rollback_are_followed_without_a_restart(server, store, files):
    assert predicted_code(server) == 1
    promote(store, files["loans_strict"], version="8")
    wait_until(lambda: predicted_code(server) == 0, log=server.log)
    promote(store, files["loans"], version="7")
    wait_until(lambda: predicted_code(server) == 1, log=server.log)


def test_a_bad_pointer_leaves_the_old_model_answering(server, store):
    store.pointer_path.write_text("garbage")
    wait_until(lambda: "model refused, the old one goes on" in server.log.read_text(), log=server.log)
    assert predicted_code(server) == 1


def test_without_a_model_the_server_is_live_and_refuses_to_decide(empty_server):
    statuses = {path: empty_server.request("GET", path).status for path in ("/health/live", "/health/ready", "/")}
    assert statuses == {"/health/live": 200, "/health/ready": 503, "/": 200}
    answer = empty_server.request("POST", "/api/v2/predict", EXAMPLE)
    assert answer.status == 503
    assert answer.json == {
        "error": "Modelo não está disponível. Verifique os logs e se um modelo possui o alias 'production'."
    }


def test_a_first_promotion_makes_the_server_ready(empty_server, store, files):
    promote(store, files["loans"])
    wait_until(lambda: empty_server.request("GET", "/health/ready").status == 200, log=empty_server.log)
    assert predicted_code(empty_server) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_the_server_with_exit_code_0(tmp_path, store, files, workers):
    promote(store, files["loans"])
    with running_server(tmp_path, store.path, SERVE_WORKERS=workers) as server:
        assert predicted_code(server) == 1
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def test_a_body_without_a_declared_length_is_limited_too(server):
    application, kind = json.dumps(EXAMPLE).encode(), {"Content-Type": "application/json"}
    assert server.request("POST", "/api/v2/predict", iter([application]), kind).status == 200
    chunks = iter([application, *[b" " * 10_000] * 7, b"more"])
    answer = server.request("POST", "/api/v2/predict", chunks, kind)
    assert answer.status == 413
    assert set(answer.json) == {"error"}


def test_nothing_is_written_below_home_or_the_working_folder(server, tmp_path):
    assert predicted_code(server) == 1
    assert server.stop() == 0
    written = [path for folder in ("home", "work") for path in Path(tmp_path / folder).rglob("*")]
    assert written == []


def test_the_log_holds_no_value_of_an_application(server):
    income = 4987123.25
    for application in (EXAMPLE | {"Annual_Income": income}, EXAMPLE | {"Age": income}, {"Annual_Income": str(income)}):
        server.request("POST", "/api/v2/predict", application)
    assert server.stop() == 0
    assert "listening on http://127.0.0.1:" in server.log.read_text()
    assert f"http://127.0.0.1:{server.port}/app, the interface: " in server.log.read_text()
    assert str(income) not in server.log.read_text()


def test_a_setting_that_cannot_be_used_stops_the_start_with_its_name(tmp_path, store):
    with (
        pytest.raises(AssertionError, match="serve: SERVE_THREADS='many': expected int from 1 to 256"),
        running_server(tmp_path, store.path, SERVE_THREADS="many"),
    ):
        pass


@pytest.mark.parametrize(
    "request_bytes",
    [
        b'POST /api/v2/predict HTTP/1.1\r\nHost: x\r\n{"Age": 85125}\r\n\r\n',
        b"POST /api/v2/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b'{"Age":85125}\r\n',
        b'{"Age":85125} HTTP/1.1\r\n\r\n',
    ],
    ids=["body among the headers", "body for a chunk size", "body for a request line"],
)
def test_what_is_not_http_is_refused_as_json_and_quoted_nowhere(server, request_bytes):
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as connection:
        connection.sendall(request_bytes)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    server.stop()
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(json.loads(body)) == {"error"}
    assert b"85125" not in answer
    assert "85125" not in server.log.read_text()
