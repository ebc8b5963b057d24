"""TLS connections on real sockets: what takes a place, and who gives way."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from serve.http.front import Front
from serve.http.listening import make_context
from serve.settings import Settings
from tests.certificates import make_certificate
from tests.raw_http import connect, get, read_answer, read_answers
from tests.serve.http.front_server import Application, FrontServer, StubService, is_empty, serving
from tests.waiting import wait_until

HELLO = b"\x16\x03\x01\x02\x00"  # the beginning of one


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def serve_tls(pair) -> Iterator[Callable[..., FrontServer]]:
    with ExitStack() as stack:

        def start(application: Application, **settings: float) -> FrontServer:
            merged = Settings(tls_certificate=pair[0], tls_key=pair[1], **settings)
            service = StubService(application)
            stack.callback(application.go_on.set)
            return stack.enter_context(serving(lambda: Front(service, merged), make_context(merged)))

        yield start


def begin_tls(port: int, certificate: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=certificate)
    return context.wrap_socket(connect(port), server_hostname="localhost")


def ask(server: FrontServer, pair: tuple[Path, Path], target: str = "/x") -> bytes:
    with begin_tls(server.port, pair[0]) as client:
        client.sendall(get(target))
        return read_answer(client.makefile("rb")).body


def has_ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_handshakes_count_as_connections_and_give_way_to_new_callers(serve_tls, application, pair):
    server = serve_tls(application, max_connections=5)
    with ExitStack() as stack:
        stalled = [stack.enter_context(connect(server.port)) for _ in range(20)]
        assert [has_ended(client) for client in stalled[:15]] == [True] * 15
        stalled[15].sendall(HELLO)
        assert server.on_loop(lambda: len(server.front.connections)) == 5
        for _ in range(3):
            assert ask(server, pair) == b"GET /x 0"
        assert server.on_loop(lambda: len(server.front.connections)) <= 5


def test_a_handshake_gets_no_place_while_all_others_are_being_answered(serve_tls, application, pair):
    server = serve_tls(application, max_connections=1)
    with begin_tls(server.port, pair[0]) as busy:
        busy.sendall(get("/slow"))
        assert application.begun.acquire(timeout=60)
        with connect(server.port) as late:
            assert has_ended(late)
        application.go_on.set()
        assert read_answer(busy.makefile("rb")).body == b"GET /slow 0"


@pytest.mark.parametrize("sent", [b"", HELLO, b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "half a hello", "no TLS"])
def test_a_handshake_that_does_not_end_in_time_frees_its_place(serve_tls, application, pair, sent):
    server = serve_tls(application, receive_seconds=0.3)
    with connect(server.port) as client:
        client.sendall(sent)
        while client.recv(1000):
            pass  # an alert says that this is no TLS
        wait_until(lambda: is_empty(server))
    assert ask(server, pair) == b"GET /x 0"


def test_pipelined_requests_that_come_with_the_end_of_the_handshake_are_answered(serve_tls, application, pair):
    server = serve_tls(application)
    with begin_tls(server.port, pair[0]) as client:
        client.sendall(get("/a") + get("/b", "Connection: close"))
        assert [answer.body for answer in read_answers(client.makefile("rb"))] == [b"GET /a 0", b"GET /b 0"]
