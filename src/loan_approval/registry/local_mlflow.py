"""An MLflow server on loopback, for as long as several processes write: an SQLite file has one writer at a time."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from loan_approval.errors import TrackingError
from loan_approval.registry.tracking_server import tracking_uri

START_LIMIT = 300  # seconds; it takes 30 to 50 on a busy machine


def is_server(uri: str) -> bool:
    """Return whether a tracking address is a server's, which several processes can write to."""
    return urlsplit(uri).scheme in ("http", "https")


@contextmanager
def serving() -> Iterator[str]:
    """Yield the address of the server that the environment names, else of one started here on the same database.

    Where artifacts go is written in the experiment, which must be there: they stay readable without the server.
    Raises TrackingError when it does not start.
    """
    uri = tracking_uri()
    if is_server(uri):
        yield uri
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # By the environment, for a password may stand in the address. Without jobs, which a sweep has none of.
    environment = os.environ | {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory(prefix="mlflow-") as folder:
        log = Path(folder, "server.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the processes it starts end with it, and Ctrl-C does not reach it first
            )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(address, process, log)
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # each request is a transaction of the database
            process.wait()


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(f"{address}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    last = log.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1]
    raise TrackingError(f"an MLflow server for the sweep did not start within {START_LIMIT} s; it said last: {last}")
