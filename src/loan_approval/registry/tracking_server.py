"""The address of MLflow's server, a one-line error when it does not answer, and a server started on loopback."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener, getproxies, proxy_bypass

from loan_approval.errors import TrackingError
from loan_approval.project import ROOT

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONNECT_SECONDS = 5.0
START_LIMIT = 300  # seconds; a start takes 30 to 50 on a busy machine
LONGEST_REASON = 300  # characters of what MLflow says
_PORTS = {"http": 80, "https": 443}
# No progress bar for one small file. Files go through MLflow: its client would fetch them from S3 itself, at an address
# that may be unknown to this machine, and retry for minutes.
_CLIENT = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, by default an SQLite file in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / 'mlflow.db'}"


def is_server(uri: str) -> bool:
    """Return whether a tracking address is a server's, which several processes can write to."""
    return urlsplit(uri).scheme in _PORTS


def connect() -> "MlflowClient":
    """Return a client of the tracking server that the environment names. Raises TrackingError when none answers."""
    check_reachable(tracking_uri())
    import mlflow  # slow to import

    for name, value in _CLIENT.items():
        os.environ.setdefault(name, value)
    mlflow.set_tracking_uri(tracking_uri())
    return mlflow.MlflowClient()


@lru_cache
def check_reachable(uri: str) -> None:
    """Raise TrackingError unless something listens at an http(s) address: MLflow's own client tries for minutes."""
    place = urlsplit(uri)
    through_proxy = place.scheme in getproxies() and not proxy_bypass(place.hostname or "")
    if not is_server(uri) or through_proxy:
        return
    try:
        address = (place.hostname or "", place.port or _PORTS[place.scheme])
        socket.create_connection(address, CONNECT_SECONDS).close()
    except (OSError, ValueError) as err:  # ValueError: a port that is no number
        raise _unusable(uri, getattr(err, "strerror", None) or str(err)) from err


def mlflow_error() -> type[Exception] | tuple[()]:
    """Return the class of MLflow's errors for an `except`, () where nobody imported MLflow: that takes seconds."""
    module = sys.modules.get("mlflow.exceptions")
    return module.MlflowException if module else ()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what MLflow's client raises about a server into a TrackingError of one line."""
    try:
        yield
    except mlflow_error() as err:
        uri = tracking_uri()
        if not is_server(uri):
            raise
        raise _unusable(uri, err.message) from err


def _unusable(uri: str, reason: str) -> TrackingError:
    place = urlsplit(uri)
    credentials, _, host = place.netloc.rpartition("@")
    address = place._replace(netloc=host).geturl()
    # MLflow quotes the address, in which a password may stand.
    words = reason.replace(f"{credentials}@", "") if credentials else reason
    words = " ".join(words.split())[:LONGEST_REASON]
    return TrackingError(f"MLflow at {address}: {words}; is it running, and are MLFLOW_TRACKING_… right?")


def server_command() -> tuple[list[str], dict[str, str]]:
    """Return how MLflow's server starts on the database of `tracking_uri`, and with which environment."""
    # The address in the environment, as it may hold a password; no workers for jobs, since nothing here asks for one.
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": tracking_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": os.environ.get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION") or "false",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    return [sys.executable, "-m", "mlflow", "server"], environment


@contextmanager
def serving() -> Iterator[str]:
    """Yield the address of a server, which several processes can write to, unlike an SQLite file.

    It is the one that the environment names, else one started here on the same database: then the experiment must
    exist, as it records where artifacts go. Raises TrackingError when the server does not start.
    """
    uri = tracking_uri()
    if is_server(uri):
        yield uri
        return
    port = free_port()
    command, environment = server_command()
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
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
            if not wait_until_ready(f"{address}/health", process, START_LIMIT):
                last = log.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1]
                why = f"did not start within {START_LIMIT} s; it said last: {last}"
                raise TrackingError(f"an MLflow server for the sweep {why}")
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # each request is a transaction of the database
            process.wait()


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url: str, process: subprocess.Popen[bytes], limit: float) -> bool:
    """Return whether a server on loopback answers within `limit` seconds, False as soon as its process has ended."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(url, timeout=5):
                return True
        except OSError:  # such as URLError
            time.sleep(0.1)
    return False
