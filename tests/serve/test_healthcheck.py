import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from serve import healthcheck
from tests.server_process import find_free_port


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server(monkeypatch) -> Iterator[HTTPServer]:
    """A server whose status the test sets."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        monkeypatch.setenv("PORT", str(server.server_port))
        yield server
        server.shutdown()
        thread.join(60)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "127.0.0.1"])  # noqa: S104 (only asked here)
def test_a_live_server_is_healthy_on_whatever_address_it_listens(server, monkeypatch, host):
    monkeypatch.setenv("SERVE_HOST", host)
    server.status = 200
    healthcheck.main()


def test_a_server_is_asked_on_the_one_address_it_listens_on(server, monkeypatch):
    monkeypatch.setenv("SERVE_HOST", "127.0.0.2")
    server.status = 200
    with pytest.raises(SystemExit, match=r"^healthcheck: "):
        healthcheck.main()


def test_another_status_is_unhealthy(server):
    server.status = 503
    with pytest.raises(SystemExit, match=r"^healthcheck: status 503$"):
        healthcheck.main()


def test_no_server_or_no_tls_where_it_is_expected_is_unhealthy(server, monkeypatch):
    server.status = 200
    monkeypatch.setenv("SERVE_TLS_CERTIFICATE", "certificate.pem")
    with pytest.raises(SystemExit, match=r"^healthcheck: "):
        healthcheck.main()
    monkeypatch.delenv("SERVE_TLS_CERTIFICATE")
    for port in (str(find_free_port()), "http"):
        monkeypatch.setenv("PORT", port)
        with pytest.raises(SystemExit, match=r"^healthcheck: "):
            healthcheck.main()
