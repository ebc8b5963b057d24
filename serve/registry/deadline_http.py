"""HTTP exchanges that are over by a moment, however slowly the other side sends.

A socket's timeout starts anew with every byte that arrives; here each read gets what is left of the whole.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import AbstractHTTPHandler, Request


class DeadlineHandler(AbstractHTTPHandler):
    """Opens http and https for urllib; a read past the deadline (of `time.monotonic`) raises TimeoutError."""

    def __init__(self, deadline: float, timeout: float, context: ssl.SSLContext, beat: Callable[[], None]) -> None:
        """The timeout is of seconds without a byte; a beat tells of each read."""
        super().__init__()
        self._response = partial(_Response, make_reader=partial(_Reader, deadline, timeout, beat))
        self._tls = context

    def http_open(self, request: Request) -> HTTPResponse:
        """Answer a request over http."""
        return self.do_open(partial(self._connect, HTTPConnection), request)

    def https_open(self, request: Request) -> HTTPResponse:
        """Answer a request over https."""
        return self.do_open(partial(self._connect, HTTPSConnection, context=self._tls), request)

    http_request = https_request = AbstractHTTPHandler.do_request_

    def _connect(self, kind: Callable[..., HTTPConnection], host: str, **options: Any) -> HTTPConnection:
        connection = kind(host, **options)
        connection.response_class = self._response
        return connection


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, make_reader: Callable[[socket.socket], "_Reader"], **kw: Any):
        super().__init__(sock, *args, **kw)
        plain, self.fp = self.fp, io.BufferedReader(make_reader(sock))
        plain.close()


class _Reader(io.RawIOBase):
    def __init__(self, deadline: float, timeout: float, beat: Callable[[], None], sock: socket.socket) -> None:
        self._deadline, self._timeout, self._beat, self._socket = deadline, timeout, beat, sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open until this is closed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:
        self._beat()
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, self._timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
