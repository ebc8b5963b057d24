"""`python -m serve.healthcheck`: exit 0 when the server of this container answers; what the image's HEALTHCHECK runs.

It speaks TLS where the server does, without a look at the certificate: it asks its own container.
"""

import os
import ssl
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection

PATIENCE = 2  # seconds
EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 (what SERVE_HOST may say; nothing listens here)


def main() -> None:
    """Ask for /health/live; exit 1, with a word, unless the answer is 200."""
    # Not by way of Settings: a file of keys that is away for a moment makes nobody ill.
    try:
        connection = _connect(os.environ)
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    except (OSError, HTTPException, ValueError) as err:
        sys.exit(f"healthcheck: {err}")
    if status != 200:
        sys.exit(f"healthcheck: status {status}")


def _connect(environment: Mapping[str, str]) -> HTTPConnection:
    host, port = environment.get("SERVE_HOST", ""), int(environment.get("PORT") or 8000)
    host = "127.0.0.1" if host in EVERY_ADDRESS else host
    if not environment.get("SERVE_TLS_CERTIFICATE"):
        return HTTPConnection(host, port, timeout=PATIENCE)
    context = ssl._create_unverified_context()  # noqa: S323 (it asks its own container)
    return HTTPSConnection(host, port, timeout=PATIENCE, context=context)


if __name__ == "__main__":
    main()
