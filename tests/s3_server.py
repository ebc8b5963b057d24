"""A real S3 on loopback: SeaweedFS, from its wheel; it can be killed and brought back with what it holds."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.server_process import find_free_port

DEADLINE = 60  # seconds


@dataclass
class S3Server:
    """It keeps everything in `folder`; anybody may read and write."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    @property
    def uri(self) -> str:
        """The address for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def environment(self) -> dict[str, str]:
        """What clients need to know."""
        return {
            "AWS_ENDPOINT_URL": self.uri,
            "MLFLOW_S3_ENDPOINT_URL": self.uri,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.ports = self.ports or {name: find_free_port() for name in _PORTS}
        options = [f"-{option}={self.ports[name]}" for name, option in _PORTS.items()]
        weed = Path(sys.executable).with_name("weed")
        with (self.folder / "s3.log").open("ab") as log:
            self.process = subprocess.Popen(
                [weed, "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-filer", "-s3", *_OFF, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urlopen(self.uri, timeout=5).close()
            except HTTPError:  # it answers, if only that it wants a signature
                return
            except (URLError, OSError):
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"the S3 did not start:\n{(self.folder / 's3.log').read_text()[-3000:]}")

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


# Each needs its own: the ports of gRPC would be those of HTTP + 10,000.
_PORTS = {
    **{name: f"{name}.port" for name in ("master", "volume", "filer", "s3")},
    **{f"{name}_grpc": f"{name}.port.grpc" for name in ("master", "volume", "filer", "s3")},
}


# Catalogues with fixed ports; statistics that would be sent to the program's makers.
_OFF = ("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run one until the block ends."""
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
