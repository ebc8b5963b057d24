"""A caller that sends much is answered between the others, not before them."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from serve.http.connection import Connection
from serve.http.front import Front
from serve.http.turns import PIECES
from serve.settings import Settings
from tests.raw_http import connect, exchange, get, read_answer, read_answers
from tests.serve.http.front_server import HEAD, FrontServer, StubService, serving
from tests.waiting import wait_until

MUCH = HEAD.replace(b"/x", b"/much") + b"Transfer-Encoding: chunked\r\n\r\n"


def two_connections(server: FrontServer, stack: ExitStack) -> list[tuple[socket.socket, Connection]]:
    pairs = []
    for count in (1, 2):
        client = stack.enter_context(connect(server.port))
        wait_until(lambda count=count: len(server.front.connections) == count)
        pairs.append((client, [*server.front.connections][-1]))
    return pairs


@pytest.mark.parametrize(
    "much",
    [
        get("/much") * 500,
        MUCH + b"1\r\na\r\n" * 900 + b"0\r\n\r\n",
        MUCH + b"0\r\n" + b"T: a\r\n" * 900 + b"\r\n",
        b"\r\n\r\n" * 1000 + get("/much"),
    ],
    ids=["requests", "chunks", "trailers", "empty lines"],
)
def test_what_one_caller_sends_at_once_waits_for_turns_and_another_is_answered_first(server, application, much):
    with ExitStack() as stack:
        (first, sender), (second, other) = two_connections(server, stack)

        def receive() -> None:
            sender.data_received(much)
            other.data_received(get("/other"))

        server.on_loop(receive)
        assert read_answer(second.makefile("rb")).body == b"GET /other 0"
        answers = first.makefile("rb")
        for _ in range(500 if much.startswith(b"GET") else 1):
            assert b"/much" in read_answer(answers).body
    assert "/other" in application.asked[:2]


def test_in_one_turn_a_connection_gets_one_answer_and_a_bounded_number_of_pieces(serve, monkeypatch):
    taken = []
    read = Connection.read
    monkeypatch.setattr(Connection, "read", lambda self: taken.append(1) or read(self))
    server = serve()
    with ExitStack() as stack:
        (_, sender), (_, other) = two_connections(server, stack)
        head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

        def pieces_of_a_turn(connection: Connection, data: bytes) -> int:
            taken.clear()
            connection.data_received(data)
            return len(taken)

        assert server.on_loop(lambda: pieces_of_a_turn(sender, head + b"1\r\na\r\n" * 900)) == PIECES
        assert server.on_loop(lambda: pieces_of_a_turn(other, get("/x") * 100)) == 1


def test_the_fast_lane_gives_a_connection_one_answer_a_turn_too(application):
    answered: list[bytes] = []

    def lane(*_head: object) -> Callable[[bytes], bytes]:
        return lambda body: answered.append(body) or b"Content-Length: 0\r\n\r\n"

    def answers_of_a_turn(connection: Connection) -> int:
        connection.data_received((HEAD + b"Content-Length: 1\r\n\r\na") * 100)
        return len(answered)

    with serving(lambda: Front(StubService(application, short_cut=lane), Settings())) as server, ExitStack() as stack:
        client = stack.enter_context(connect(server.port))
        wait_until(lambda: len(server.front.connections) == 1)
        (connection,) = server.front.connections
        assert server.on_loop(lambda: answers_of_a_turn(connection)) == 1
        for _ in range(100):
            assert read_answer(client.makefile("rb", buffering=0)).status == 200


def test_of_large_bodies_one_is_read_in_each_turn(serve):
    server = serve(max_body_bytes=10**7)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server.port)) for _ in range(3)]
        wait_until(lambda: len(server.front.connections) == 3)
        senders = [*server.front.connections]

        def receive() -> list[bool]:
            for sender in senders:
                sender.data_received(HEAD + b"Content-Length: 500000\r\n\r\n" + bytes(100_000))
            reading = [sender._transport.is_reading() for sender in senders]
            for _ in senders:
                server.front.shares._resume_one()
                turns.append([each._transport.is_reading() for each in senders])
            return reading

        turns: list[list[bool]] = []
        assert server.on_loop(receive) == [False] * 3
        assert turns[:3] == [[True, False, False], [True, True, False], [True, True, True]]
        for client in clients:
            client.sendall(bytes(400_000))
            assert read_answer(client.makefile("rb")).body == b"POST /x 500000"


def test_what_all_callers_leave_unread_has_a_bound(serve, application, monkeypatch):
    monkeypatch.setattr("serve.http.turns.MOST_UNREAD", 50_000)
    server = serve(max_connections=10)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server.port)) for _ in range(8)]
        for client in clients:
            client.sendall(MUCH + b"1\r\na\r\n" * 5000)
        statuses = [answer.status for client in clients for answer in read_answers(client.makefile("rb"))]
        assert set(statuses) <= {413, 503}
        assert 503 in statuses  # of 25,000 bytes each, no more than two can wait; the others are refused
        wait_until(lambda: server.front.unread == 0)
        assert exchange(server.port, get("/x", "Connection: close"))[0].status == 200
