import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wsgi import get_current_url

from serve.http.front import Front
from serve.settings import Settings
from tests.raw_http import connect, get, post, read_answer, read_answers
from tests.serve.http.front_server import FrontServer, StubService, serving
from tests.waiting import wait_until

LIMIT = 100


class Gate:
    """An application that holds every request until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.held = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.held.release()
        if environ["PATH_INFO"] != "/urgent":
            assert self.open.wait(60)
        start_response("200 OK", [])
        return [b"answered"]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def server(gate) -> Iterator[FrontServer]:
    settings = Settings(max_connections=10, max_queue=2, threads=3, max_body_bytes=LIMIT)
    with serving(lambda: Front(StubService(gate, LIMIT, lane), settings)) as server:
        yield server
        gate.open.set()


def lane(_method: bytes, _target: bytes, headers: Mapping[bytes, bytes]) -> Callable[[bytes], bytes | None] | None:
    """A lane for the body `fast`; `broken` breaks it, the header `Broken` breaks it before."""
    if b"broken" in headers:
        raise RuntimeError("secret")
    return answer


def answer(body: bytes) -> bytes | None:
    if body == b"broken":
        raise RuntimeError("secret")
    return b"Content-Length: 4\r\n\r\nlane" if body == b"fast" else None


def ask(server: FrontServer, data: bytes) -> bytes:
    with connect(server.port) as client:
        client.sendall(data)
        return read_answer(client.makefile("rb")).body


def test_a_request_for_the_lane_does_not_wait_for_the_queue(server, gate):
    with connect(server.port) as waiting:
        waiting.sendall(get("/"))
        assert gate.held.acquire(timeout=60)
        assert ask(server, post(b"fast")) == b"lane"
        gate.open.set()
        assert read_answer(waiting.makefile("rb")).body == b"answered"


def test_a_request_that_the_lane_refuses_goes_to_the_application(server, gate):
    gate.open.set()
    assert ask(server, post(b"slow")) == b"answered"


def test_a_lane_that_breaks_leaves_the_request_to_the_application(server, gate, caplog):
    gate.open.set()
    assert ask(server, post(b"broken")) == b"answered"
    assert [record.getMessage() for record in caplog.records] == ["RuntimeError in the lane"]


def test_a_response_has_a_date_in_the_form_of_http(server):
    with connect(server.port) as client:
        client.sendall(post(b"fast"))
        date = read_answer(client.makefile("rb")).header("date")
    assert format_datetime(parsedate_to_datetime(date), usegmt=True) == date


def test_an_urgent_request_is_answered_though_the_queue_is_full(server, gate):
    with connect(server.port) as first, connect(server.port) as second:
        for client in (first, second):
            client.sendall(get("/"))
            assert gate.held.acquire(timeout=60)
        assert b"too many" in ask(server, get("/"))
        assert ask(server, get("/urgent")) == b"answered"
        gate.open.set()


def test_a_draining_front_answers_no_request_after_the_current_one(server, gate):
    gate.open.set()
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(post(b"fast")[:-1])
        wait_until(lambda: server.on_loop(lambda: any(each.in_request for each in server.front.connections)))
        server.on_loop(server.front.drain)
        client.sendall(b"t" + get("/"))
        assert [answer.body for answer in read_answers(stream)] == [b"lane"]
    assert not gate.held.acquire(blocking=False)


def test_the_number_in_flight_returns_to_0_when_callers_are_gone(server, gate):
    client = connect(server.port)
    client.sendall(get("/"))
    assert gate.held.acquire(timeout=60)
    assert server.front.in_flight == 1
    client.close()
    gate.open.set()
    wait_until(lambda: server.on_loop(lambda: server.front.in_flight) == 0)
    assert ask(server, get("/")) == b"answered"


def test_every_target_has_the_limit_of_the_service(server):
    assert server.front.body_limit(b"/anything") == LIMIT


def test_encoded_bodies_which_may_become_large_do_not_keep_small_ones_waiting(gate):
    settings = Settings(max_queue=10, threads=2, max_body_bytes=LIMIT)
    with serving(lambda: Front(StubService(gate, LIMIT), settings)) as server, ExitStack() as callers:
        for _ in range(2):  # as many as there are threads for small bodies
            callers.enter_context(connect(server.port)).sendall(post(b"{}", "Content-Encoding: gzip"))
        wait_until(lambda: server.front.in_flight == 2)
        assert ask(server, get("/urgent")) == b"answered"
        gate.open.set()


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"host": "::", "port": 8000}, b"http://[::]:8000/"), ({"socket": Path("serve.sock")}, b"http://localhost/")],
)
def test_a_request_without_a_host_has_an_address_that_stands_in_a_url(settings, name):
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [get_current_url(environ).encode()]

    with serving(lambda: Front(StubService(application), Settings(**settings))) as server:
        assert ask(server, b"GET / HTTP/1.0\r\n\r\n") == name
