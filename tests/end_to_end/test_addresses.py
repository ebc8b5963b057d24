import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from serve.contract.contract import Contract
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import DEADLINE, ROOT, Server, promote, running_server
from tests.waiting import wait_until

EXAMPLE = Contract.from_dict(LOANS).example()


def check_health(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run the health check as a container does, in the working folder of `running_server`."""
    command = [sys.executable, "-m", "serve.healthcheck"]
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder / "work", env=inherited | environment, capture_output=True, timeout=DEADLINE, check=False
    )


def status_at(host: str, server: Server) -> int:
    with closing(http.client.HTTPConnection(host, server.port, timeout=DEADLINE)) as connection:
        connection.request("GET", "/health/live")
        return connection.getresponse().status


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_a_server_on_every_address_answers_on_both_families_and_is_healthy(tmp_path):
    with running_server(tmp_path, tmp_path / "store", SERVE_HOST="::") as server:
        assert [status_at(host, server) for host in ("127.0.0.1", "::1")] == [200, 200]
        assert check_health(tmp_path, SERVE_HOST="::", PORT=str(server.port)).returncode == 0
        assert f"listening on http://[::]:{server.port}" in server.log.read_text()
        with socket.create_connection(("::1", server.port), timeout=DEADLINE) as caller:
            caller.sendall(b"GET /docs HTTP/1.0\r\n\r\n")  # without a Host: the application sees the server's own name
            assert caller.recv(65_536).startswith(b"HTTP/1.1 308 ")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_a_server_on_ipv6_alone_is_healthy(tmp_path):
    with running_server(tmp_path, tmp_path / "store", host="::1", SERVE_HOST="::1") as server:
        assert status_at("::1", server) == 200
        assert check_health(tmp_path, SERVE_HOST="::1", PORT=str(server.port)).returncode == 0
        assert f"listening on http://[::1]:{server.port}" in server.log.read_text()


@contextmanager
def server_on_path(folder: Path, path: Path, **environment: str) -> Iterator[Server]:
    """Run a server with the `loans` model on a Unix socket."""
    folder.mkdir(exist_ok=True)
    store = Store(folder / "store")
    promote(store, good_files()["loans"])
    with running_server(folder, store.path, host=str(path), SERVE_SOCKET=str(path), **environment) as server:
        yield server


def test_a_unix_socket_is_answered_on_as_an_address_is_and_removed_at_the_end(tmp_path):
    path = tmp_path / "serve.sock"
    with server_on_path(tmp_path, path, SERVE_WORKERS="2") as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        by_lane = server.request("POST", "/api/v2/predict", EXAMPLE)
        assert (by_lane.status, by_lane.body) == (200, b'{"prediction":"Approved","prediction_code":1}')
        rows = json.dumps([EXAMPLE] * 5000).encode()  # read in many turns of the loop
        batch = server.request("POST", "/api/v2/predict/batch", rows, {"Content-Type": "application/json"})
        assert (batch.status, len(batch.json)) == (200, 5000)
        assert check_health(tmp_path, SERVE_SOCKET=str(path)).returncode == 0
        assert f"listening on unix:{path}" in server.log.read_text()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(DEADLINE)
            caller.connect(str(path))
            caller.sendall(b"GET /docs HTTP/1.0\r\n\r\n")  # without a Host: the application sees the server's own name
            assert caller.recv(65_536).startswith(b"HTTP/1.1 308 ")
        assert server.stop() == 0
    assert not path.exists()
    assert "Traceback" not in server.log.read_text()
    assert check_health(tmp_path, SERVE_SOCKET=str(path)).returncode == 1


def test_the_socket_of_a_killed_worker_stays_the_others(tmp_path):
    path = tmp_path / "serve.sock"
    with server_on_path(tmp_path, path, SERVE_WORKERS="2") as server:
        for number in (signal.SIGTERM, signal.SIGKILL):
            before = children_of(server)
            os.kill(min(before), number)
            wait_until(lambda before=before: len(children_of(server) - before) == 1, log=server.log)
            assert server.request("GET", "/health/live").status == 200


def children_of(server: Server) -> set[int]:
    pid = server.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_what_a_killed_server_left_is_replaced_and_a_live_server_is_not(tmp_path):
    path = tmp_path / "serve.sock"
    with server_on_path(tmp_path / "killed", path):
        pass  # at the end of its block it is killed
    assert path.is_socket()
    with server_on_path(tmp_path / "first", path) as first:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SERVE_SOCKET": str(path)}
        command = [sys.executable, "-m", "serve"]
        second = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        assert second.returncode == 1
        assert f"serve: can't listen on {path}: another server does" in second.stderr
        assert first.request("GET", "/health/live").status == 200
