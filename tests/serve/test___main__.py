import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.server_process import Server, find_free_port, running_server

ROOT = Path(__file__).parents[2]
SHARED = Path("/dev/shm")  # noqa: S108 (where servers count)


def start(**environment: str) -> tuple[int, list[dict[str, object]]]:
    """Run a server that can't start; return its exit code and its log."""
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "serve"]
    result = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, timeout=60)
    return result.returncode, [json.loads(line) for line in result.stderr.splitlines()]


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("PORT", "http", "serve: PORT='http': expected int from 0 to 65535"),
        ("SERVE_API_KEYS_FILE", __file__, "serve: test___main__.py line 1: expected name:sha256"),
        ("SERVE_TLS_CERTIFICATE", __file__, "serve: SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: "),
        ("SERVE_PUBLIC_KEY_FILE", __file__, "serve: SERVE_PUBLIC_KEY_FILE="),
    ],
)
def test_a_setting_that_can_not_be_used_ends_the_start_with_its_reason(variable, text, reason):
    code, (line,) = start(**{variable: text})
    assert (code, line["level"]) == (1, "critical")
    assert line["message"].startswith(reason)


def test_an_address_that_is_taken_ends_the_start():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, (line,) = start(PORT=str(port))
    assert code == 1
    assert line["message"].startswith(f"serve: can't listen on 127.0.0.1:{port}: Address already in use")


def kill(server: Server) -> None:
    """Kill the whole server at once, as a machine does that runs out of memory."""
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()


def counts() -> set[Path]:
    """Return the folders in which servers of this machine count, whoever started them."""
    return set((SHARED if os.access(SHARED, os.W_OK) else Path(tempfile.gettempdir())).glob("serve-*-*"))


def start_counting(folder: Path) -> AbstractContextManager[Server]:
    folder.mkdir(exist_ok=True)
    return running_server(folder, folder / "store", SERVE_METRICS_ADDRESS=f"127.0.0.1:{find_free_port()}")


def test_what_killed_servers_left_is_removed_at_the_next_start_and_what_others_use_is_not(tmp_path):
    with start_counting(tmp_path / "running") as running, start_counting(tmp_path / "killed") as killed:
        in_use, left = (
            {path for path in counts() if path.name.startswith(f"serve-{server.process.pid}-")}
            for server in (running, killed)
        )
        assert (len(in_use), len(left)) == (1, 1)
        kill(killed)
        store = tmp_path / "killed" / "store"
        store.mkdir()
        (store / ".model.onnx.0123abcd").write_bytes(b"half")
        os.utime(store / ".model.onnx.0123abcd", (0, 0))
        with start_counting(tmp_path / "killed"):
            assert not left & counts()
            assert in_use <= counts()
            assert list(store.iterdir()) == []
    with start_counting(tmp_path / "last"):  # the first one was killed at the end of its block
        assert not in_use & counts()
