"""A real `mlflow server` on loopback that can be killed and brought back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.server_process import find_free_port

DEADLINE = 300  # seconds; it takes 30 to 50 on a busy machine, and several times that on an overloaded one
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # as `server_command` has it: eight processes fewer


@dataclass
class MLflowServer:
    """Its database and artifacts lie in `folder`, unless they are named, and outlive it."""

    folder: Path
    port: int
    process: subprocess.Popen | None = None
    database: str = ""
    artifacts: str = ""
    environment: dict[str, str] = field(default_factory=dict)  # beside this process's own

    def __post_init__(self) -> None:
        self.database = self.database or f"sqlite:///{self.folder / 'mlflow.db'}"
        self.artifacts = self.artifacts or str(self.folder / "artifacts")

    @property
    def uri(self) -> str:
        """The address for MLFLOW_TRACKING_URI."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--backend-store-uri", self.database, "--artifacts-destination", self.artifacts]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *options, "--port", str(self.port), "--workers", "1"],
                cwd=self.folder,
                env=os.environ | NO_JOBS | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that the processes it starts die with it
            )
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urlopen(f"{self.uri}/health", timeout=5):
                    return
            except (URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"MLflow did not start:\n{(self.folder / 'server.log').read_text()[-3000:]}")

    def stop(self) -> None:
        """Kill it, and the processes that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MLflowServer]:
    """Run a server until the block ends."""
    server = MLflowServer(folder, find_free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
