"""Connections on a real loop and real sockets, before an application that the test controls."""

import gc
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from serve.http.connection import Connection
from serve.http.listening import has_arrived
from tests.raw_http import connect, exchange, get, post, read_answer, read_answers
from tests.serve.http.front_server import BIG, HEAD, FrontServer, is_empty, refused
from tests.waiting import wait_until

QUICK = {"receive_seconds": 0.3, "idle_seconds": 0.3, "send_seconds": 0.3}


def test_one_connection_too_many_gets_503_while_all_others_are_being_answered(serve, application):
    server = serve(max_connections=2)
    with connect(server.port) as first, connect(server.port) as second:
        for client in (first, second):
            client.sendall(get("/slow"))
        wait_until(lambda: server.front.in_flight == 2)
        third = refused(server, b"")
        assert (third.status, third.header("retry-after")) == (503, "1")
        application.go_on.set()
        for client in (first, second):
            with client.makefile("rb") as stream:
                assert read_answer(stream).status == 200
    wait_until(lambda: is_empty(server))
    assert len(exchange(server.port, get("/x", "Connection: close"))) == 1


def test_half_sent_requests_give_way_to_new_callers_the_oldest_first(serve, application):
    server = serve(max_connections=4)
    with ExitStack() as stack:
        busy, idle, older, newer = (stack.enter_context(connect(server.port)) for _ in range(4))
        busy.sendall(get("/slow"))
        assert application.begun.acquire(timeout=60)
        for count, client in enumerate((older, newer), 1):
            client.sendall(HEAD)
            wait_until(lambda count=count: len(server.front.half_sent) == count)
        for gone in (older, newer, idle):
            client = stack.enter_context(connect(server.port))
            client.sendall(get("/new"))
            assert read_answer(client.makefile("rb")).body == b"GET /new 0"
            assert is_disconnected(gone)
        application.go_on.set()
        assert read_answer(busy.makefile("rb")).body == b"GET /slow 0"


def test_a_flood_of_half_sent_requests_keeps_nobody_out(serve):
    server = serve(max_connections=50)
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(server.port)).sendall(HEAD)
        with connect(server.port) as client:
            client.sendall(get("/x"))
            assert read_answer(client.makefile("rb")).status == 200
        assert len(server.front.connections) <= 50


def test_one_request_too_many_gets_503(serve, application):
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
def test_a_slow_caller_is_cut_off(serve, sent, statuses):
    server = serve(**QUICK)
    assert [answer.status for answer in exchange(server.port, sent)] == statuses
    wait_until(lambda: is_empty(server))


def test_a_request_begun_before_the_last_response_has_the_deadline_of_a_request(serve, application):
    server = serve(receive_seconds=0.3)
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/slow") + b"GET /")
        assert application.begun.acquire(timeout=60)
        application.go_on.set()
        assert [answer.status for answer in read_answers(stream)] == [200, 408]


def test_a_trickle_of_bytes_does_not_extend_the_deadline(serve):
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


def test_the_application_has_no_deadline(serve, application):
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


def test_a_caller_that_does_not_read_is_cut_off(serve):
    server = serve(send_seconds=0.3)
    with connect(server.port) as client:
        client.sendall(get("/big") * 200)
        wait_until(lambda: is_paused(server))
        wait_until(lambda: is_empty(server))


def test_for_a_caller_that_does_not_read_few_responses_are_made(server, application):
    with connect(server.port) as client:
        client.sendall(get("/big") * 200)
        wait_until(lambda: is_paused(server))
        ask_on_another(server, 1000)
        # What the kernel takes on both sides, and one answer more: the rest was not asked for.
        assert application.asked.count("/big") < 60


def test_a_caller_that_reads_late_gets_all_responses(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/big") * 100)
        wait_until(lambda: is_paused(server))
        client.sendall(get("/big") * 100)
        for _ in range(200):
            assert len(read_answer(stream).body) == BIG


def is_disconnected(client: socket.socket) -> bool:
    try:
        client.sendall(b"x" * 65_536)
        return not client.recv(1)
    except OSError:
        return True


def test_a_refused_caller_that_goes_on_sending_is_disconnected(serve):
    server = serve()
    with connect(server.port) as client:
        client.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        with client.makefile("rb") as stream:
            assert [answer.status for answer in read_answers(stream)] == [413]
        wait_until(lambda: is_disconnected(client))
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
        targets = [read_answer(stream).body.split()[1] for _ in range(100)]
    assert targets == [b"/%d" % number for number in range(100)]


def test_requests_before_a_malformed_one_are_answered_before_it(server):
    answers = exchange(server.port, get("/a") + get("/b") + b"garbage\r\n\r\n")
    assert [answer.status for answer in answers] == [200, 200, 400]


@pytest.mark.parametrize("requests", [1, 3])
def test_a_caller_that_shuts_down_after_whole_requests_is_answered(server, requests):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x") * requests)
        client.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in read_answers(stream)] == [200] * requests
    wait_until(lambda: is_empty(server))


@pytest.mark.parametrize("begun", [b"GE", HEAD, HEAD + b"Content-Length: 3\r\n\r\nab"], ids=["line", "head", "body"])
@pytest.mark.parametrize("before", [b"", get("/x")], ids=["first", "second"])
def test_a_caller_that_shuts_down_within_a_request_is_refused(server, before, begun):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(before + begun)
        client.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in read_answers(stream)] == [200] * bool(before) + [400]
    wait_until(lambda: is_empty(server))


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
def test_a_caller_that_vanishes_leaves_nothing_behind(server, application, caplog, sent, reset):
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


def test_a_failing_application_ends_no_connection_and_its_message_stays_secret(server, caplog):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/broken") + get("/x"))
        first, second = read_answer(stream), read_answer(stream)
    assert (first.status, first.body) == (500, b'{"error":"internal error"}')
    assert second.status == 200
    assert [record.getMessage() for record in caplog.records] == ["RuntimeError in the application"]


def test_a_head_request_gets_a_head_and_the_next_response_follows_it(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x").replace(b"GET", b"HEAD") + get("/y"))
        assert read_answer(stream, "HEAD").header("content-length") == "9"
        assert read_answer(stream).body == b"GET /y 0"


def test_a_caller_that_expects_100_gets_it(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(post(b"", "Content-Length: 3", "Expect: 100-Continue", path="/x"))
        assert read_answer(stream).head == b"HTTP/1.1 100 Continue"
        client.sendall(b"abc")
        assert read_answer(stream).body == b"POST /x 3"


def test_a_100_response_waits_for_the_response_before_it(server, application):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/slow") + post(b"", "Content-Length: 3", "Expect: 100-continue", path="/x"))
        assert application.begun.acquire(timeout=60)
        application.go_on.set()
        assert read_answer(stream).body == b"GET /slow 0"
        assert read_answer(stream).head == b"HTTP/1.1 100 Continue"
        client.sendall(b"abc")
        assert read_answer(stream).body == b"POST /x 3"


def test_in_http_1_0_there_is_no_100_response(server):
    data = post(b"abc", "Expect: 100-continue", path="/x", version="1.0")
    assert [answer.status for answer in exchange(server.port, data)] == [200]


def test_a_body_that_is_too_large_gets_413_instead_of_100(server):
    assert refused(server, post(b"", "Content-Length: 3000", "Expect: 100-continue")).status == 413


def test_a_draining_front_closes_idle_connections_and_answers_the_rest(serve, application):
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


def test_a_connection_is_not_idle_while_the_system_holds_a_request_that_was_not_read(server):
    with connect(server.port) as client:
        wait_until(lambda: len(server.front.connections) == 1)
        (connection,) = server.front.connections
        server.on_loop(connection._transport.pause_reading)
        client.sendall(get("/late"))
        wait_until(lambda: server.on_loop(lambda: has_arrived(connection._transport)))
        server.on_loop(lambda: connection.close_if_idle(-1.0))
        server.on_loop(connection._transport.resume_reading)
        with client.makefile("rb") as stream:
            assert read_answer(stream).body == b"GET /late 0"
        server.on_loop(lambda: connection.close_if_idle(-1.0))
        assert client.recv(1) == b""


def test_a_crowded_front_closes_idle_connections_only(serve, application, monkeypatch):
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


def test_a_front_with_room_keeps_idle_connections(serve, monkeypatch):
    monkeypatch.setattr("serve.http.front.QUIET_SECONDS", 0.0)
    server = serve(max_connections=10)
    with connect(server.port) as silent:
        wait_until(lambda: len(server.front.connections) == 1)
        for _ in range(3):
            server.on_loop(server.front.tick)
        silent.sendall(get("/"))
        assert read_answer(silent.makefile("rb")).status == 200
