"""`python -m serve.healthcheck`: exit 0 when the server of this container answers; the image's HEALTHCHECK.

It uses TLS where the server does, and does not verify the certificate: it asks its own container.
"""

import os
import socket
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from serve.settings import PORTS

TIMEOUT = 2  # seconds
EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 (values of SERVE_HOST; nothing listens here)


class UnixConnection(HTTPConnection):
    """Asks a server that listens on a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def main() -> None:
    """Ask for /health/live; exit 1 with the reason unless the status is 200."""
    try:
        connection = _make_connection()
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    except (OSError, HTTPException, ValueError) as err:
        sys.exit(f"healthcheck: {err}")
    if status != 200:
        sys.exit(f"healthcheck: status {status}")


def _make_connection() -> HTTPConnection:
    # Without Settings: a file of keys that is missing for a moment does not make the server unhealthy.
    if path := os.environ.get("SERVE_SOCKET"):
        return UnixConnection(path)
    host, tls = os.environ.get("SERVE_HOST", ""), os.environ.get("SERVE_TLS_CERTIFICATE")
    context = {"context": ssl._create_unverified_context()} if tls else {}  # noqa: S323 (it asks its own container)
    port = next(filter(None, map(os.environ.get, PORTS)), "8000")
    address = "127.0.0.1" if host in EVERY_ADDRESS else host, int(port)
    return (HTTPSConnection if tls else HTTPConnection)(*address, timeout=TIMEOUT, **context)


if __name__ == "__main__":
    main()
