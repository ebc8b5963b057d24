"""`python -m serve` as a real process on a free loopback port, for the end-to-end tests."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serve.files import write_atomically
from serve.healthcheck import UnixConnection
from serve.store.pointer import Pointer
from serve.store.store import Store

ROOT = Path(__file__).parents[1]
DEADLINE = 60  # seconds, for a start or a stop on a busy machine


@dataclass(frozen=True)
class Answer:
    """What a request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a document."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server; `log` is the file of what it says."""

    port: int
    process: subprocess.Popen
    log: Path
    host: str = "127.0.0.1"

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request; `body` is bytes, chunks, or a document that goes as JSON."""
        if isinstance(body, dict):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        if self.host.startswith("/"):
            connection = UnixConnection(self.host)
            connection.timeout = DEADLINE
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE)
        with closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@contextmanager
def running_server(folder: Path, store: Path, host: str = "127.0.0.1", **environment: str) -> Iterator[Server]:
    """Run a server until the block ends, then kill what is left; HOME and working folder lie below `folder`.

    host: where it is asked; a path is that of a Unix socket.
    """
    home, work = folder / "home", folder / "work"
    for path in (home, work):
        path.mkdir(parents=True, exist_ok=True)
    port = find_free_port()
    told = {"PORT": str(port), "SERVE_STORE": str(store), "SERVE_POLL_SECONDS": "0.05"} | environment
    inherited = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve"],
            cwd=work,
            env=inherited | told,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that the workers die with it
        )
    try:
        server = Server(port, process, log, host)
        wait_until_live(server)
        yield server
    finally:
        _kill_group(process)


def wait_until_live(server: Server) -> None:
    """Return when /health/live answers; raise with the log when it never does."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if server.request("GET", "/health/live").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{server.log.read_text()}")


def promote(store: Store, data: bytes, version: str = "1") -> Pointer:
    """Install a model file and point at it, as a promotion does."""
    scorer = store.install(data, {"verdict": {"verdict": "passed"}})
    pointer = Pointer(scorer.sha256, scorer.contract.model_name, "production", version, "run-1", "passed")
    store.point(pointer)
    return pointer


def point_without_check(store: Store, pointer: Pointer) -> None:
    """Point at a file as somebody does who writes into the store by hand, but never half a pointer."""
    write_atomically(store.pointer_path, json.dumps(asdict(pointer)).encode())


def find_free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _kill_group(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
