"""Bodies fetched over HTTP with a size limit and a deadline, however slowly the other side sends.

A socket's timeout starts anew with every byte that arrives, so each read gets at most the time that is left.
"""

import io
import ssl
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import socket
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from serve.errors import RegistryError, SettingsError
from serve.settings import Settings

MOST_REDIRECTS = 3
PIECE = 65_536  # bytes of a body that are read at once
_REDIRECTS = (301, 302, 303, 307, 308)
_DENIED = ("denied", ": see MLFLOW_TRACKING_USERNAME, _PASSWORD, _TOKEN")
_MISSING = ("missing", ": it has no such thing")
_REFUSALS = {401: _DENIED, 403: _DENIED, 400: _MISSING, 404: _MISSING}  # MLflow says 400 if a model lacks an alias


class DeadlineHTTP:
    """Fetches from one tracking server; credentials are sent to its own origin alone.

    It may redirect to itself, and to any place by HTTPS, as an object store with signed addresses is. By HTTP it could
    send this process to addresses that trust whoever reaches them, such as a cloud's instance metadata.
    """

    def __init__(self, settings: Settings, beat: Callable[[], None]) -> None:
        """beat: called before each read. Raises SettingsError."""
        self._origin = _origin(settings.tracking_uri)
        self._authorization = settings.tracking_authorization
        self._timeout = settings.registry_timeout_seconds
        self._beat = beat
        try:
            self._tls = ssl.create_default_context(cafile=settings.tracking_ca_file or None)
        except OSError as err:
            where = f"MLFLOW_TRACKING_SERVER_CERT_PATH={settings.tracking_ca_file!r}"
            raise SettingsError(f"{where}: no certificates") from err
        if settings.tracking_insecure_tls:
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    def get(self, url: str, limit: int, timeouts: int = 1) -> bytes:
        """Return a body of at most `limit` bytes within so many times the timeout. Raises RegistryError."""
        deadline = time.monotonic() + timeouts * self._timeout
        try:
            for _ in range(1 + MOST_REDIRECTS):
                with self._open(url, deadline) as response:
                    if response.status not in _REDIRECTS:
                        return _read(response, limit)
                    url = _redirected(url, response.headers.get("Location", ""))
        except (OSError, HTTPException, ValueError) as err:
            cause = err.reason if isinstance(err, URLError) else err
            if isinstance(cause, TimeoutError):
                raise RegistryError("timeout", "the registry did not answer in time") from err
            # The kind of error only: its text may quote an address, or what a server sent.
            reason = getattr(cause, "strerror", None) or type(cause).__name__
            raise RegistryError("unreachable", f"the registry can't be reached: {reason}") from err
        raise RegistryError("answer", "the registry redirects without end")

    def _open(self, url: str, deadline: float) -> HTTPResponse:
        self._beat()

        def open_response(sock: socket, **options: Any) -> HTTPResponse:
            response = HTTPResponse(sock, **options)
            read = response.fp.raw.readinto  # the one method by which a BufferedReader reads its raw stream

            def read_in_time(buffer: memoryview) -> int | None:
                self._beat()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                sock.settimeout(min(left, self._timeout))
                return read(buffer)

            response.fp.raw.readinto = read_in_time
            return response

        opener = OpenerDirector()  # these handlers only: no files, no FTP, no redirects of urllib's own
        opener.add_handler(ProxyHandler())
        opener.add_handler(_Handler(self._tls, open_response))
        request = Request(url, headers={"User-Agent": "loan-approval-server"})  # noqa: S310 (http or https, see Settings)
        if self._authorization and _origin(url) == self._origin:
            request.add_header("Authorization", self._authorization)
        return opener.open(request, timeout=max(min(deadline - time.monotonic(), self._timeout), 0.001))


class _Handler(HTTPHandler, HTTPSHandler):
    """Opens http and https for urllib; `open_response` makes the response of each connection."""

    def __init__(self, tls: ssl.SSLContext, open_response: Callable[..., HTTPResponse]) -> None:
        HTTPSHandler.__init__(self, context=tls)
        self._open_response = open_response

    def do_open(self, http_class: type[HTTPConnection], req: Request, **options: Any) -> HTTPResponse:
        connection = type("Connection", (http_class,), {"response_class": staticmethod(self._open_response)})
        return super().do_open(connection, req, **options)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    place = urlsplit(url)
    return place.scheme, place.hostname, place.port or {"http": 80, "https": 443}.get(place.scheme)


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if _origin(target) != _origin(url) and urlsplit(target).scheme != "https":
        raise RegistryError("answer", "the registry redirects to another place than itself, and not by HTTPS")
    return target


def _read(response: HTTPResponse, limit: int) -> bytes:
    if response.status != 200:
        kind, hint = _REFUSALS.get(response.status, ("answer", ""))
        raise RegistryError(kind, f"the registry answered {response.status}{hint}")
    body, piece = io.BytesIO(), memoryview(bytearray(PIECE))
    while count := response.readinto(piece):  # `read` keeps a list of all chunks, and each may be of one byte
        body.write(piece[:count])
        if body.tell() > limit:
            raise RegistryError("answer", f"the registry sent more than {limit:,} bytes")
    if response.length:
        raise RegistryError("answer", "the registry's answer ended early")
    return body.getvalue()
