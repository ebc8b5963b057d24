import hashlib
from pathlib import Path

import pytest

from serve.contract.contract import Contract
from serve.store.store import Store
from tests.end_to_end.observed import Observed, exchange, observed_server, prediction
from tests.model_files import LOANS, good_files
from tests.server_process import promote, running_server

EXAMPLE = Contract.from_dict(LOANS).example()
BY_FLASK = "application/json;charset=utf-8"  # right, and not as the fast lane spells it
KEY, NEXT = "lab-key-4711", "next-key-4712"


def line(name: str, key: str) -> str:
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture
def keys_file(tmp_path) -> Path:
    path = tmp_path / "keys.txt"
    path.write_text(line("lab", KEY))
    return path


@pytest.fixture
def keyed(tmp_path, keys_file):
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"], version="7")
    with observed_server(tmp_path, store.path, SERVE_API_KEYS_FILE=str(keys_file), SERVE_REQUEST_LOG="1") as observed:
        yield observed


def status(observed: Observed, key: str) -> int:
    return observed.server.request("POST", "/api/v2/predict", b"{", {"X-API-Key": key}).status


@pytest.mark.parametrize(
    "headers", [[], ["X-API-Key: wrong"], [f"Authorization: Bearer {KEY}x"], [f"X-API-Key: {KEY}", f"X-API-Key: {KEY}"]]
)
def test_the_refusal_is_the_same_bytes_where_the_lane_would_answer_and_where_flask_would(keyed, headers):
    requests = [prediction(EXAMPLE, *headers, kind=kind) for kind in ("application/json", BY_FLASK)]
    by_lane, by_flask = exchange(keyed.server.port, *requests)
    assert by_lane == by_flask
    assert by_lane.startswith(b"HTTP/1.1 401 UNAUTHORIZED\r\n")
    assert b"\r\nWWW-Authenticate: Bearer realm=" in by_lane
    assert by_lane.endswith(b'{"error":"expected a valid API key"}')


@pytest.mark.parametrize("header", [f"X-API-Key: {KEY}", f"Authorization: Bearer {KEY}", f"x-api-key:{KEY}"])
def test_a_valid_key_gets_the_same_answer_from_the_lane_and_from_flask(keyed, header):
    requests = [prediction(EXAMPLE, header, kind=kind) for kind in ("application/json", BY_FLASK)]
    by_lane, by_flask = exchange(keyed.server.port, *requests)
    assert by_lane == by_flask
    assert by_lane.startswith(b"HTTP/1.1 200 OK\r\n")
    keyed.wait_until(lambda: keyed.series("loan_key_uses_total", "key") == {("lab",): 2})


def test_the_free_routes_need_none_and_the_metrics_have_their_own_address(keyed):
    for path in ("/", "/health/live", "/health/ready"):
        assert keyed.server.request("GET", path).status == 200
    assert keyed.server.request("GET", "/metrics").status == 401
    assert "loan_request_seconds" in keyed.exposition()


def test_keys_come_and_go_while_the_server_runs(keyed, keys_file):
    assert (status(keyed, KEY), status(keyed, NEXT)) == (415, 401)
    keys_file.write_text(line("lab", KEY) + line("next", NEXT))
    keyed.wait_until(lambda: status(keyed, NEXT) == 415)
    keys_file.write_text(line("next", NEXT))
    keyed.wait_until(lambda: status(keyed, KEY) == 401)
    assert exchange(keyed.server.port, prediction(EXAMPLE, f"X-API-Key: {KEY}"))[0].startswith(b"HTTP/1.1 401 ")
    keys_file.write_text("garbage " + KEY)
    keyed.wait_until(lambda: status(keyed, NEXT) == 401)
    keys_file.write_text(line("next", NEXT))
    keyed.wait_until(lambda: status(keyed, NEXT) == 415)
    log = keyed.server.log.read_text()
    assert "nobody is let in: keys.txt line 1: expected name:sha256" in log
    assert KEY not in log
    assert NEXT not in log


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path, keys_file):
    keys_file.write_text(f"lab:{KEY}\n")
    with (
        pytest.raises(AssertionError, match=r"serve: keys.txt line 1: expected name:sha256") as caught,
        running_server(tmp_path, tmp_path / "store", SERVE_API_KEYS_FILE=str(keys_file)),
    ):
        pass
    assert KEY not in str(caught.value)
