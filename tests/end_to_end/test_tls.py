"""TLS by the server itself, with a certificate of its own."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from serve.store.store import Store
from tests.certificates import make_certificate
from tests.load import PREDICT
from tests.model_files import good_files
from tests.raw_http import connect, get, read_answer, read_answers
from tests.server_process import DEADLINE, ROOT, find_free_port, promote
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]) -> Iterator[int]:
    """The port of a server with that certificate."""
    folder = tmp_path_factory.mktemp("server")
    store, port = Store(folder / "store"), find_free_port()
    promote(store, good_files()["loans"])
    told = {
        **{"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "PORT": str(port)},
        **{"SERVE_STORE": str(store.path), "SERVE_RECEIVE_SECONDS": "1", "SERVE_IDLE_SECONDS": "1"},
        **{"SERVE_TLS_CERTIFICATE": str(pair[0]), "SERVE_TLS_KEY": str(pair[1])},
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "serve"], cwd=folder, env=told, stderr=output)
    try:
        wait_until(lambda: is_answering(port, pair[0]))
        yield port
        process.terminate()
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()
    assert '"level": "error"' not in log.read_text()


def is_answering(port: int, certificate: Path) -> bool:
    try:
        with connect_with_tls(port, certificate) as client:
            client.sendall(get("/health/live"))
            return read_answer(client.makefile("rb")).status == 200
    except OSError:
        return False


def connect_with_tls(port: int, certificate: Path) -> ssl.SSLSocket:
    """Connect and check that it is this very certificate that answers."""
    context = ssl.create_default_context(cafile=certificate)
    return context.wrap_socket(connect(port), server_hostname="localhost")


def test_the_images_health_check_speaks_tls_where_the_server_does(port, pair):
    assert check_health(port, SERVE_TLS_CERTIFICATE=str(pair[0])) == 0
    assert check_health(port) == 1
    assert check_health(find_free_port()) == 1


def check_health(port: int, **told: str) -> int:
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), **told}
    command = [sys.executable, "-m", "serve.healthcheck"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, stderr=subprocess.DEVNULL).returncode


def test_a_prediction_is_answered_over_tls(port, pair):
    with connect_with_tls(port, pair[0]) as client, client.makefile("rb") as stream:
        for _ in range(3):
            client.sendall(PREDICT)
            answer = read_answer(stream)
            assert (answer.status, answer.body) == (200, b'{"prediction":"Approved","prediction_code":1}')


def test_pipelined_requests_are_answered_in_order_over_tls(port, pair):
    with connect_with_tls(port, pair[0]) as client, client.makefile("rb") as stream:
        client.sendall((PREDICT + get("/health/live")) * 100 + get("/docs/swagger-ui-bundle.js", "Connection: close"))
        answers = list(read_answers(stream))
    assert [answer.body[:4] for answer in answers[:-1]] == [b'{"pr', b'{"st'] * 100
    assert len(answers[-1].body) > 1_000_000


def test_a_slow_client_is_told_so_over_tls(port, pair):
    with connect_with_tls(port, pair[0]) as client, client.makefile("rb") as stream:
        client.sendall(PREDICT[:-5])
        assert [answer.status for answer in read_answers(stream)] == [408]


def test_who_vanishes_over_tls_does_no_harm(port, pair):
    for sent in (b"", PREDICT[:30], PREDICT, get("/openapi.json")):
        client = connect_with_tls(port, pair[0])
        client.sendall(sent)
        client.close()
    assert is_answering(port, pair[0])


def test_plain_http_to_the_tls_port_is_not_answered(port, pair):
    with connect(port) as client:
        client.sendall(PREDICT)
        said = b""
        with suppress(ConnectionResetError):
            said = client.recv(1000)
    assert not said.startswith(b"HTTP")
    assert is_answering(port, pair[0])


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00"], ids=["nothing", "half a hello"])
def test_a_stalled_handshake_is_cut_off(port, pair, sent):
    with connect(port) as client:
        client.sendall(sent)
        with suppress(ConnectionResetError):
            assert client.recv(1000) == b""
    assert is_answering(port, pair[0])


def test_a_certificate_without_its_key_stops_the_start(tmp_path, pair):
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": "0", "SERVE_TLS_CERTIFICATE": str(pair[0])}
    command = [sys.executable, "-m", "serve"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=told, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["message"].startswith("serve: SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: ")
