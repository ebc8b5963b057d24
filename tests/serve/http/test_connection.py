"""Connections on a real loop and real sockets, before an application that the test holds in its hand."""

import gc
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from serve.http.connection import Connection
from serve.http.front import Front
from serve.http.reader import FRAMING, HEAD_BYTES, HEADERS
from serve.settings import Settings
from tests.raw_http import RawAnswer, connect, exchange, get, post, read_answer, read_answers
from tests.serve.http.front_server import FrontServer, StubService, serving
from tests.waiting import wait_until

BODY_LIMIT = 1000
BIG = 400_000  # bytes of an answer
QUICK = {"receive_seconds": 0.3, "idle_seconds": 0.3, "send_seconds": 0.3}
PATIENT = {"receive_seconds": 60.0, "idle_seconds": 60.0, "send_seconds": 60.0}


@dataclass
class Application:
    """Says what it was asked; `/slow` waits until `go_on` is set, `/big` answers much, `/broken` raises."""

    go_on: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    asked: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        body = environ["wsgi.input"].read()
        self.begun.release()
        if path.startswith("/slow"):
            assert self.go_on.wait(60)
        if path == "/broken":
            raise RuntimeError("secret")
        said = b"x" * BIG if path == "/big" else f"{environ['REQUEST_METHOD']} {path} {len(body)}".encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [said]


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application()
    yield application
    application.go_on.set()


@pytest.fixture
def serve(application) -> Iterator[Callable[..., FrontServer]]:
    """Return a function that serves with some settings until the test ends."""
    ending = []

    def start(**settings: Any) -> FrontServer:
        told = Settings(**({"max_body_bytes": BODY_LIMIT, "threads": 2} | PATIENT | settings))
        running = serving(lambda: Front(StubService(application, told.max_body_bytes), told))
        ending.append(running)
        return running.__enter__()

    yield start
    application.go_on.set()
    for running in ending:
        running.__exit__(None, None, None)


@pytest.fixture
def server(serve) -> FrontServer:
    return serve()


def is_empty(server: FrontServer) -> bool:
    return not server.front.connections


def refused(server: FrontServer, data: bytes) -> RawAnswer:
    """Return the one answer to what is refused; the server has closed after it."""
    answers = exchange(server.port, data)
    assert len(answers) == 1, answers
    assert answers[0].header("connection") == "close"
    assert set(json.loads(answers[0].body)) == {"error"}
    return answers[0]


HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
NOT_HTTP = {
    "garbage": b"\x00\x01\x02\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2.0 by name": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/0.9 by name": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "a method in small letters": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is none": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target without a slash": b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "a folded header": HEAD + b"A: b\r\n c\r\n\r\n",
    "NUL in a header": HEAD + b"A: \x00\r\n\r\n",
    "a control byte in a header": HEAD + b"A: \x01\r\n\r\n",
    "a control byte in a name": HEAD + b"A\x01: b\r\n\r\n",
    "a space before the colon": HEAD + b"A : b\r\n\r\n",
    "no name": HEAD + b": b\r\n\r\n",
    "no colon": HEAD + b"A\r\n\r\n",
    "two lengths that are equal": HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "two lengths that differ": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "two lengths in one": HEAD + b"Content-Length: 1, 1\r\n\r\na",
    "a length with a sign": HEAD + b"Content-Length: +1\r\n\r\na",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": HEAD + b"Content-Length: 0x1\r\n\r\na",
    "a length that is empty": HEAD + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "chunks twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice in one": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks, then as they are": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "as they are, then chunks": HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "gzip": HEAD + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "an empty encoding": HEAD + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "a vertical tab before chunked": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space after the encoding's name": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "a chunk size with a sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a chunk that is longer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "bare LF after a chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_is_not_plainly_http_is_refused_and_quoted_nowhere(server, application, caplog, name):
    with caplog.at_level(logging.DEBUG):
        assert refused(server, NOT_HTTP[name]).status == 400
    assert application.asked == []
    assert [record.name for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize("cut", [1, 7])
@pytest.mark.parametrize("name", NOT_HTTP)
def test_it_is_refused_in_pieces_too(server, application, name, cut):
    data = NOT_HTTP[name]
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(data), cut):
                client.sendall(data[start : start + cut])
        except OSError:
            pass  # refused before it was all sent
        assert [answer.status for answer in read_answers(stream)] == [400]
    assert application.asked == []


RIGHT = {
    "a tab before chunked": (HEAD + b"Transfer-Encoding:\tchunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"POST /x 1"),
    "Chunked": (HEAD + b"Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"POST /x 1"),
    "an extension and a trailer": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\nT: x\r\n\r\n",
        b"POST /x 1",
    ),
    "a length of many zeros": (HEAD + b"Content-Length: " + b"0" * 5000 + b"1\r\n\r\na", b"POST /x 1"),
    "an absolute target": (b"GET http://x/y HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /y 0"),
    "an absolute target alone": (b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / 0"),
    "the asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS / 0"),
    "empty lines before": (b"\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /x 0"),
    "HTTP/1.0 without a host": (b"GET /x HTTP/1.0\r\n\r\n", b"GET /x 0"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_odd_and_right_is_answered(server, name):
    data, said = RIGHT[name]
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(data)
        assert read_answer(stream).body == said


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")


@pytest.mark.parametrize("expects", [(), ("Expect: 100-continue",)], ids=["at once", "with an expectation"])
@pytest.mark.parametrize("cut", [1, 10**6])
def test_who_offers_another_protocol_is_answered_in_this_one(server, application, cut, expects):
    one = post(b"abc", *UPGRADE, *expects, path="/x")
    chunked = get("/y", *UPGRADE, "Transfer-Encoding: chunked") + b"2\r\nab\r\n0\r\n\r\n"
    data = one + get("/y", "Connection: Upgrade", "Upgrade: websocket") + chunked
    with connect(server.port) as client, client.makefile("rb") as stream:
        for start in range(0, len(data), cut):
            client.sendall(data[start : start + cut])
        if expects:
            assert read_answer(stream).status == 100
        assert [read_answer(stream).body for _ in range(3)] == [b"POST /x 3", b"GET /y 0", b"GET /y 2"]
    assert application.asked == ["/x", "/y", "/y"]


def test_who_offers_another_protocol_for_one_request_is_answered_once(server, application):
    offer = get("/x", "Connection: Upgrade, close", "Upgrade: h2c")
    assert [answer.body for answer in exchange(server.port, offer + get("/smuggled"))] == [b"GET /x 0"]
    assert application.asked == ["/x"]


def test_many_who_offer_another_protocol_are_answered_in_one_piece(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x", *UPGRADE) * 1500)
        assert [read_answer(stream).status for _ in range(1500)] == [200] * 1500


def test_a_tunnel_is_refused_and_what_follows_is_no_request(server, application):
    assert refused(server, b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n" + get("/smuggled") * 3).status == 400
    assert application.asked == []


def test_what_follows_the_last_request_is_no_request(server, application):
    answers = exchange(server.port, get("/last", "Connection: close") + get("/smuggled"))
    assert [answer.body for answer in answers] == [b"GET /last 0"]
    assert application.asked == ["/last"]


# Bounds.


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (413, HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1)),
        (413, HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * (BODY_LIMIT + 1)),
        (431, HEAD + b"".join(b"A%d: b\r\n" % i for i in range(HEADERS)) + b"\r\n"),
        (431, HEAD + b"A: b\r\n" * 2000 + b"\r\n"),
        (431, HEAD + b"A: " + b"b" * HEAD_BYTES + b"\r\n\r\n"),
        (431, HEAD + b"".join(b"A%d: %b\r\n" % (i, b"b" * 1000) for i in range(40)) + b"\r\n"),
        (431, b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    ],
    ids=["length", "chunks", "many headers", "one header again and again", "a long header", "long headers", "target"],
)
def test_what_is_too_large_is_refused(server, application, status, data):
    assert refused(server, data).status == status
    assert application.asked == []


@pytest.mark.parametrize(
    ("status", "begin", "on"),
    [
        (431, b"GET /", b"a" * 100),
        (431, HEAD, b"A: b\r\n"),
        (431, HEAD + b"A: ", b"a" * 100),
        (431, HEAD, b"a" * 100),
        (413, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nT: ", b"a" * 100),
        (413, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"T: a\r\n" * 20),
        (413, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 100),
        (413, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;%b\r\na\r\n" % (b"a" * 100)),
        (413, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 20),
    ],
    ids=[
        *("target", "headers", "header value", "header name", "trailer", "trailers", "extension", "extensions"),
        "chunks",
    ],
)
def test_what_never_ends_is_cut_off_after_a_bounded_number_of_bytes(server, status, begin, on):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(begin)
        sent = 0
        client.settimeout(0.001)
        answer = b""
        while not answer:
            try:
                sent += client.send(on)
                answer = client.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
        client.settimeout(60)
        assert read_answer(stream).status == status
    # Two pieces of the socket's more than the bound, at most; the pieces are small here.
    assert sent < 2 * (HEAD_BYTES + FRAMING * BODY_LIMIT)


def test_many_short_requests_in_large_pieces_are_no_endless_head(server):
    count = 1500
    data = get("/x", "A: " + "b" * 200) * count
    with connect(server.port) as client, client.makefile("rb") as stream:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert [read_answer(stream).status for _ in range(count)] == [200] * count
        sender.join()


def test_a_body_of_single_bytes_may_be_as_long_as_another(server):
    data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * BODY_LIMIT + b"0\r\n\r\n"
    with connect(server.port) as client, client.makefile("rb") as stream:
        for start in range(0, len(data), 11):
            client.sendall(data[start : start + 11])
        assert read_answer(stream).body == b"POST /x 1000"


def test_one_connection_too_many_is_told_to_come_again(serve):
    server = serve(max_connections=2)
    with connect(server.port) as first, connect(server.port) as second:
        wait_until(lambda: len(server.front.connections) == 2)
        third = refused(server, b"")
        assert (third.status, third.header("retry-after")) == (503, "1")
        for client in (first, second):
            client.sendall(get("/x"))
            with client.makefile("rb") as stream:
                assert read_answer(stream).status == 200
    wait_until(lambda: is_empty(server))
    assert len(exchange(server.port, get("/x", "Connection: close"))) == 1


def test_one_request_too_many_is_told_to_come_again(serve, application):
    server = serve(max_queue=2)
    with connect(server.port) as first, connect(server.port) as second:
        for client in (first, second):
            client.sendall(get("/slow"))
        wait_until(lambda: server.front.in_flight == 2)
        third = refused(server, get("/x"))
        assert (third.status, third.header("retry-after")) == (503, "1")
        application.go_on.set()
        for client in (first, second):
            with client.makefile("rb") as stream:
                assert read_answer(stream).status == 200


# Time.


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"", []),
        (b"\r\n\r\n", []),
        (b"G", [408]),
        (HEAD, [408]),
        (HEAD + b"Content-Length: 2\r\n\r\na", [408]),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", [408]),
        (get("/x"), [200]),
        (get("/x") + b"GET", [200, 408]),
        (get("/x") + get("/x") + HEAD, [200, 200, 408]),
    ],
    ids=["nothing", "empty lines", "line", "head", "body", "chunks", "idle", "second line", "third head"],
)
def test_who_is_slow_is_cut_off(serve, sent, statuses):
    server = serve(**QUICK)
    assert [answer.status for answer in exchange(server.port, sent)] == statuses
    wait_until(lambda: is_empty(server))


def test_who_begins_anew_after_an_answer_has_the_time_of_a_request_and_not_of_idleness(serve, application):
    server = serve(receive_seconds=0.3)
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/slow") + b"GET /")
        assert application.begun.acquire(timeout=60)
        application.go_on.set()
        assert [answer.status for answer in read_answers(stream)] == [200, 408]


def test_a_trickle_buys_no_time(serve):
    server = serve(**QUICK)
    with connect(server.port) as client:
        client.settimeout(0.02)
        answer = b""
        deadline = time.monotonic() + 60
        while not answer:
            assert time.monotonic() < deadline
            try:
                client.sendall(b"\r\n")
                answer = client.recv(100) or b"closed"
            except TimeoutError:
                continue
            except OSError:
                break
    wait_until(lambda: is_empty(server))


def test_the_application_may_take_longer_than_any_caller(serve, application):
    server = serve(**QUICK)
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/slow"))
        assert application.begun.acquire(timeout=60)
        asked = [exchange(server.port, b"") for _ in range(2)]  # each of these is cut off meanwhile
        application.go_on.set()
        assert read_answer(stream).body == b"GET /slow 0"
    assert asked == [[], []]


def is_paused(server: FrontServer) -> bool:
    return server.on_loop(lambda: any(each._paused for each in server.front.connections))


def ask_on_another(server: FrontServer, count: int) -> None:
    with connect(server.port) as client, client.makefile("rb") as stream:
        for _ in range(count):
            client.sendall(get("/other"))
            assert read_answer(stream).status == 200


def test_who_does_not_read_is_cut_off(serve):
    server = serve(send_seconds=0.3)
    with connect(server.port) as client:
        client.sendall(get("/big") * 200)
        wait_until(lambda: is_paused(server))
        wait_until(lambda: is_empty(server))


def test_for_who_does_not_read_no_more_is_made_than_fits(server, application):
    with connect(server.port) as client:
        client.sendall(get("/big") * 200)
        wait_until(lambda: is_paused(server))
        ask_on_another(server, 1000)
        # What the kernel takes on both sides, and one answer more: the rest was not asked for.
        assert application.asked.count("/big") < 60


def test_who_reads_in_the_end_gets_it_all(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/big") * 100)
        wait_until(lambda: is_paused(server))
        client.sendall(get("/big") * 100)
        for _ in range(200):
            assert len(read_answer(stream).body) == BIG


def test_a_refused_caller_that_goes_on_sending_is_not_heard_and_not_kept(serve):
    server = serve()
    with connect(server.port) as client:
        client.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        with client.makefile("rb") as stream:
            assert [answer.status for answer in read_answers(stream)] == [413]
        with pytest.raises(OSError):  # noqa: PT011, PT012 (reset or broken pipe, some time)
            while True:
                client.sendall(b"x" * 65_536)
    wait_until(lambda: is_empty(server))


# Order, ends and loss.


@pytest.mark.parametrize("cut", [1, 1000, 10**6], ids=["bytes", "pieces", "one piece"])
def test_pipelined_requests_are_answered_in_order(server, cut):
    data = b"".join(
        get(f"/{number}") if number % 3 else post(b"a" * number, path=f"/{number}") for number in range(100)
    )
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), cut):
            client.sendall(data[start : start + cut])
        said = [read_answer(stream).body.split()[1] for _ in range(100)]
    assert said == [b"/%d" % number for number in range(100)]


def test_what_was_right_before_a_fault_is_answered_before_it(server):
    answers = exchange(server.port, get("/a") + get("/b") + b"garbage\r\n\r\n")
    assert [answer.status for answer in answers] == [200, 200, 400]


@pytest.mark.parametrize("requests", [1, 3])
def test_who_says_no_more_after_a_whole_request_is_answered(server, requests):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x") * requests)
        client.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in read_answers(stream)] == [200] * requests
    wait_until(lambda: is_empty(server))


@pytest.mark.parametrize("begun", [b"GE", HEAD, HEAD + b"Content-Length: 3\r\n\r\nab"], ids=["line", "head", "body"])
@pytest.mark.parametrize("before", [b"", get("/x")], ids=["first", "second"])
def test_who_says_no_more_within_a_request_is_refused(server, before, begun):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(before + begun)
        client.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in read_answers(stream)] == [200] * bool(before) + [400]
    wait_until(lambda: is_empty(server))


def test_a_body_longer_than_its_length_is_no_part_of_it(server):
    answers = exchange(server.port, post(b"abcdef", "Content-Length: 3", path="/x"))
    assert [(answer.status, answer.body[:9]) for answer in answers] == [(200, b"POST /x 3"), (400, answers[1].body[:9])]


def connections_in_memory() -> int:
    return sum(type(each) is Connection for each in gc.get_objects())


@pytest.fixture
def collector() -> Iterator[None]:
    """Turns the collector on again."""
    yield
    gc.enable()


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("sent", [b"", b"GE", HEAD + b"Content-Length: 9\r\n\r\na", get("/slow"), get("/slow") * 9])
def test_who_vanishes_leaves_nothing_behind(server, application, caplog, sent, reset):
    gc.collect()
    gc.disable()  # a cycle would keep a connection until the collector comes by
    before = connections_in_memory()
    clients = [connect(server.port) for _ in range(20)]
    for client in clients:
        client.sendall(sent)
    wait_until(lambda: len(server.front.connections) == 20)
    if b"slow" in sent:
        wait_until(lambda: server.front.in_flight == 20)
    for client in clients:
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    application.go_on.set()
    wait_until(lambda: is_empty(server) and server.front.in_flight == 0)
    wait_until(lambda: connections_in_memory() == before)
    assert caplog.records == []


def test_an_application_that_fails_ends_no_connection_and_its_words_are_not_told(server, caplog):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/broken") + get("/x"))
        first, second = read_answer(stream), read_answer(stream)
    assert (first.status, first.body) == (500, b'{"error":"internal error"}')
    assert second.status == 200
    assert [record.getMessage() for record in caplog.records] == ["RuntimeError in the application"]


def test_a_fault_of_ours_while_reading_is_answered_and_logged_by_its_class(server, caplog, monkeypatch):
    def fail(_target: bytes) -> int:
        raise LookupError("secret")

    monkeypatch.setattr(server.front, "body_limit", fail)
    assert refused(server, get("/x")).status == 500
    assert [record.getMessage() for record in caplog.records] == ["LookupError while a request was read"]


def test_a_head_request_gets_a_head_and_the_next_answer_follows_it(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x").replace(b"GET", b"HEAD") + get("/y"))
        assert read_answer(stream, "HEAD").header("content-length") == "9"
        assert read_answer(stream).body == b"GET /y 0"


def test_who_expects_it_is_told_to_go_on(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(post(b"", "Content-Length: 3", "Expect: 100-Continue", path="/x"))
        assert read_answer(stream).head == b"HTTP/1.1 100 Continue"
        client.sendall(b"abc")
        assert read_answer(stream).body == b"POST /x 3"


def test_who_expects_it_behind_another_request_is_told_after_the_other_answer(server, application):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/slow") + post(b"", "Content-Length: 3", "Expect: 100-continue", path="/x"))
        assert application.begun.acquire(timeout=60)
        application.go_on.set()
        assert read_answer(stream).body == b"GET /slow 0"
        assert read_answer(stream).head == b"HTTP/1.1 100 Continue"
        client.sendall(b"abc")
        assert read_answer(stream).body == b"POST /x 3"


def test_to_who_speaks_http_1_0_nothing_is_said_before_the_answer(server):
    data = post(b"abc", "Expect: 100-continue", path="/x", version="1.0")
    assert [answer.status for answer in exchange(server.port, data)] == [200]


def test_who_expects_to_send_too_much_is_refused_instead(server):
    assert refused(server, post(b"", "Content-Length: 3000", "Expect: 100-continue")).status == 413


def test_a_worker_that_drains_closes_what_is_idle_and_answers_the_rest(serve, application):
    server = serve()
    with connect(server.port) as idle, connect(server.port) as busy, connect(server.port) as sending:
        busy.sendall(get("/slow"))
        sending.sendall(post(b"", "Content-Length: 3", path="/x"))
        assert application.begun.acquire(timeout=60)
        wait_until(lambda: sum(each.in_request for each in server.front.connections) == 1)
        server.on_loop(server.front.drain)
        assert idle.recv(1) == b""
        wait_until(lambda: len(server.on_loop(server.front.drain)) == 2)
        application.go_on.set()
        sending.sendall(b"abc")
        for client in (busy, sending):
            with client.makefile("rb") as stream:
                (answer,) = read_answers(stream)
                assert (answer.status, answer.header("connection")) == (200, "close")
    wait_until(lambda: is_empty(server))


def test_all_bodies_together_have_a_bound_and_give_their_room_back(serve):
    server = serve(max_buffered_bytes=3000, max_body_bytes=2000)
    for _ in range(5):  # answered bodies leave nothing behind
        assert exchange(server.port, post(bytes(1000), "Connection: close", path="/x"))[0].status == 200
    with connect(server.port) as holding, connect(server.port) as gone:
        holding.sendall(post(bytes(1500), path="/x")[:-1])
        gone.sendall(post(bytes(1000), path="/x")[:-1])
        wait_until(lambda: server.front.body_bytes == 2498)
        answer = refused(server, post(bytes(1000), path="/x"))
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        gone.close()
        wait_until(lambda: server.front.body_bytes == 1499)
        assert exchange(server.port, post(bytes(1000), "Connection: close", path="/x"))[0].status == 200
    wait_until(lambda: server.front.body_bytes == 0)


def test_an_answer_gives_back_the_room_of_its_own_body_alone(server, application):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(post(bytes(100), path="/slow") + post(bytes(900), path="/x")[:-1])
        assert application.begun.acquire(timeout=60)
        wait_until(lambda: server.front.body_bytes == 999)
        application.go_on.set()
        assert read_answer(stream).body == b"POST /slow 100"
        assert server.front.body_bytes == 899
        client.sendall(b"x")
        assert read_answer(stream).body == b"POST /x 900"
        assert server.front.body_bytes == 0


def test_where_it_is_crowded_silent_callers_leave_and_others_stay(serve, application, monkeypatch):
    monkeypatch.setattr("serve.http.front.QUIET_SECONDS", 0.2)
    server = serve(max_connections=10)
    with ExitStack() as stack:
        busy, sending = (stack.enter_context(connect(server.port)) for _ in range(2))
        busy.sendall(get("/slow"))
        sending.sendall(post(b"", "Content-Length: 3", path="/x"))
        assert application.begun.acquire(timeout=60)
        silent = [stack.enter_context(connect(server.port)) for _ in range(8)]
        wait_until(lambda: len(server.front.connections) == 10)
        assert [client.recv(1) for client in silent] == [b""] * 8
        application.go_on.set()
        sending.sendall(b"abc")
        for client in (busy, sending):
            assert read_answer(client.makefile("rb")).status == 200


def test_where_there_is_room_silent_callers_stay(serve, monkeypatch):
    monkeypatch.setattr("serve.http.front.QUIET_SECONDS", 0.0)
    server = serve(max_connections=10)
    with connect(server.port) as silent:
        wait_until(lambda: len(server.front.connections) == 1)
        for _ in range(3):
            server.on_loop(server.front.tick)
        silent.sendall(get("/"))
        assert read_answer(silent.makefile("rb")).status == 200
