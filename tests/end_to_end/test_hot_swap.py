"""Models are swapped under load: every answer is wholly one model's, and a bad file changes nothing."""

import hashlib
import json
import os
import re
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.load import PREDICT, load, worker_pids
from tests.model_files import bomb_files, broken_files, good_files
from tests.raw_http import RawAnswer, exchange, get, post
from tests.server_process import Server, find_free_port, point_without_check, promote, running_server
from tests.waiting import wait_until

FILES = good_files()
CODES = {"loans": 1, "loans_strict": 0}
# The same application by the lane, and by Flask.
REQUESTS = (PREDICT, post(PREDICT.partition(b"\r\n\r\n")[2], "Content-Type: application/json;charset=utf-8"))


def check_whole(answers: list[RawAnswer], codes: dict[str, int]) -> None:
    """Check that each answer says what the model says that it names. codes: by sha256."""
    for answer in answers:
        assert answer.status == 200
        assert json.loads(answer.body)["prediction_code"] == codes[answer.header("x-model-sha256")]
        assert answer.header("x-model-version") == f"v{codes[answer.header('x-model-sha256')]}"


def swap_under_load(folder: Path, swaps: int, clients: int) -> None:
    """Promote and roll back under load, with two workers."""
    store = Store(folder / "store")
    shas = {promote(store, FILES[name], f"v{code}").sha256: code for name, code in CODES.items()}
    with (
        running_server(folder, store.path, SERVE_WORKERS="2") as server,
        load(server.port, clients, *REQUESTS) as asked,
    ):
        for number in range(swaps):
            name = ("loans", "loans_strict")[number % 2]
            sha256 = promote(store, FILES[name], f"v{CODES[name]}").sha256
            wait_until(lambda sha256=sha256: all_workers_answer_with(server, sha256))
    assert asked.broken == []
    check_whole(asked.answers, shas)
    assert {answer.header("x-model-sha256") for answer in asked.answers} == set(shas)
    assert '"level": "error"' not in server.log.read_text()


def all_workers_answer_with(server: Server, sha256: str) -> bool:
    """Ask on so many new connections that no worker is likely to be left out."""
    closing = PREDICT.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")
    return all(exchange(server.port, closing)[0].header("x-model-sha256") == sha256 for _ in range(12))


def test_swaps_under_load_fail_no_request_and_mix_no_answer(tmp_path):
    swap_under_load(tmp_path, swaps=20, clients=4)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Store, int]]:
    """A server with the `loans` model, its store and the port of its metrics."""
    folder = tmp_path_factory.mktemp("refusing")
    store, metrics = Store(folder / "store"), find_free_port()
    promote(store, FILES["loans"], "v1")
    with running_server(folder, store.path, SERVE_METRICS_ADDRESS=f"127.0.0.1:{metrics}") as server:
        yield server, store, metrics


def refusals(port: int) -> float:
    (answer,) = exchange(port, get("/metrics", "Connection: close"))
    counts = [line for line in answer.body.decode().splitlines() if 'loan_model_swaps_total{result="refused"}' in line]
    return sum(float(line.split()[-1]) for line in counts)


BAD = {
    "truncated": FILES["loans_strict"][: len(FILES["loans_strict"]) // 2],
    "empty": b"",
    "random": secrets.token_bytes(4096),
    "tampered": FILES["loans_strict"].replace(b"production", b"Production") + b"\x00",
    "with a wrong golden row": broken_files()["golden_score_wrong"],
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("renamed", [True, False], ids=["named by its hash", "named by another"])
def test_a_bad_file_is_refused_once_and_the_old_model_goes_on(refusing, name, renamed):
    server, store, metrics = refusing
    right = store.pointer()
    sha256 = hashlib.sha256(BAD[name] if renamed else secrets.token_bytes(9)).hexdigest()
    (store.path / f"{sha256}.json").write_text("{}")
    (store.path / f"{sha256}.onnx").write_bytes(BAD[name])
    before, lines_before = refusals(metrics), len(server.log.read_text().splitlines())
    point_without_check(store, Pointer(sha256, "m", "production", "v9", "r", "passed"))
    wait_until(lambda: refusals(metrics) == before + 1)
    (answer,) = exchange(server.port, PREDICT.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n"))
    assert (answer.status, answer.header("x-model-sha256")) == (200, right.sha256)
    lines = server.log.read_text().splitlines()[lines_before:]
    assert len(lines) == 1
    assert "model refused, the old one goes on: " in json.loads(lines[0])["message"]
    assert sha256 in lines[0]
    store.point(right)


def test_a_deleted_pointer_leaves_the_old_model_answering(refusing):
    server, store, metrics = refusing
    right, before = store.pointer(), refusals(metrics)
    store.pointer_path.unlink()
    for _ in range(3):
        with load(server.port, 1, PREDICT, pause=0.05) as asked:  # longer than the poll
            wait_until(lambda asked=asked: len(asked.answers) > 3)
        assert {answer.header("x-model-sha256") for answer in asked.answers} == {right.sha256}
    assert refusals(metrics) == before + 1  # told once, however often it is looked for
    store.point(right)


CLOSING = PREDICT.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")


def copy_into(store: Store, data: bytes) -> None:
    """Put a file into the store and point at it, as somebody does who copies files."""
    sha256 = hashlib.sha256(data).hexdigest()
    (store.path / f"{sha256}.json").write_text("{}")
    (store.path / f"{sha256}.onnx").write_bytes(data)
    point_without_check(store, Pointer(sha256, "m", "production", "v9", "r", "passed"))


SPOILED = {
    "damaged": lambda store: store.pointer_path.write_text("{"),
    "gone": lambda store: store.pointer_path.unlink(),
    "of a refused file": lambda store: copy_into(store, broken_files()["golden_score_wrong"]),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_worker_that_starts_while_the_pointer_is_bad_answers_as_the_others_do(tmp_path, spoil):
    store = Store(tmp_path / "store")
    right = promote(store, FILES["loans"], "v1")
    with running_server(tmp_path, store.path, SERVE_WORKERS="2") as server:
        wait_until(lambda: server.log.read_text().count("answering with") == 2, log=server.log)
        SPOILED[spoil](store)
        wait_until(lambda: server.log.read_text().count("the old one goes on") == 2, log=server.log)
        os.kill(worker_pids(server.process.pid)[0], signal.SIGKILL)
        wait_until(lambda: server.log.read_text().count("model refused") == 3, log=server.log)
        answers = [exchange(server.port, CLOSING)[0] for _ in range(30)]
        assert {(answer.status, answer.header("x-model-sha256")) for answer in answers} == {(200, right.sha256)}
        assert {exchange(server.port, get("/health/ready", "Connection: close"))[0].status for _ in range(30)} == {200}


@pytest.mark.parametrize("bomb", ["memory_while_loading", "memory_for_many_rows"])
def test_a_file_that_takes_all_memory_costs_no_worker_and_delays_no_later_version(tmp_path, bomb):
    store = Store(tmp_path / "store")
    promote(store, FILES["loans"], "v1")
    with running_server(tmp_path, store.path) as server:
        (worker,) = wait_until(lambda: worker_pids(server.process.pid))
        copy_into(store, bomb_files()[bomb])
        wait_until(lambda: "model refused, the old one goes on" in server.log.read_text(), log=server.log)
        (most,) = re.findall(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{worker}/status").read_text())
        assert int(most) < 500_000
        sha256 = promote(store, FILES["loans_strict"], "v2").sha256
        wait_until(lambda: exchange(server.port, CLOSING)[0].header("x-model-sha256") == sha256, log=server.log)
        assert worker_pids(server.process.pid) == [worker]
