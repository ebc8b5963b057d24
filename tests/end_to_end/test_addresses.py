import http.client
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.server_process import DEADLINE, ROOT, Server, running_server


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
