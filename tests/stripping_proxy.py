"""A proxy that serves a server below a path and removes that path, as nginx and ingress controllers are told to."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIMEOUT = 60  # seconds
OF_THE_CONNECTION = ("connection", "host", "content-length", "transfer-encoding", "date")


@contextmanager
def stripping_proxy(port: int, prefix: str) -> Iterator[int]:
    """Pass what begins with `prefix` on to a port of this machine, without it; yield the proxy's port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)) as connection:
                connection.request(self.command, self.path.removeprefix(prefix), body, headers)
                response = connection.getresponse()
                data = response.read()
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.pass_on()

        def do_POST(self) -> None:
            self.pass_on()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=[0.01])
        thread.start()
        try:
            yield proxy.server_port
        finally:
            proxy.shutdown()
            thread.join(TIMEOUT)
