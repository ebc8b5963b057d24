"""Slow, vanishing, greedy and many clients against the real process; others notice nothing."""

import json
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from serve.store.store import Store
from tests.load import (
    EXAMPLE,
    HEAD,
    PREDICT,
    SLOW_BODY,
    SLOW_HEAD,
    load,
    slow_clients,
    usage,
    vanish_many,
    worker_pids,
)
from tests.model_files import good_files
from tests.raw_http import connect, exchange, get, post, read_answer, read_answers
from tests.server_process import Server, promote, running_server
from tests.waiting import wait_until

MOST_CONNECTIONS = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file, with short patience."""
    patience = {f"SERVE_{name}_SECONDS": "1" for name in ("RECEIVE", "SEND", "IDLE")}
    yield from _serve_loans(tmp_path_factory.mktemp("hostile"), **patience)


@pytest.fixture
def patient_server(tmp_path: Path) -> Iterator[Server]:
    """A server with its usual patience: on a busy machine many bytes take longer than a second."""
    yield from _serve_loans(tmp_path)


def _serve_loans(folder: Path, **settings: str) -> Iterator[Server]:
    store = Store(folder / "store")
    promote(store, good_files()["loans"])
    with running_server(folder, store.path, SERVE_MAX_CONNECTIONS=str(MOST_CONNECTIONS), **settings) as server:
        yield server
        log = server.log.read_text()
        assert server.stop() == 0
    assert "Traceback" not in log
    assert '"level": "error"' not in log


def check_alive(server: Server) -> None:
    assert server.request("POST", "/api/v2/predict", EXAMPLE).status == 200


def descriptors(server: Server) -> int:
    return sum(usage(pid).descriptors for pid in worker_pids(server.process.pid))


@pytest.mark.parametrize(("begun", "status"), [(SLOW_HEAD, 408), (SLOW_BODY, 408), (b"", None)])
def test_slow_clients_are_cut_off_and_others_are_answered_meanwhile(server, begun, status):
    with load(server.port, 2, PREDICT, get("/health/live")) as others, slow_clients(server.port, 100, begun) as slow:
        if begun:
            answers = [read_answer(client.makefile("rb")) for client in slow]
            assert {answer.status for answer in answers} == {status}
    assert {answer.status for answer in others.answers} == {200}
    assert others.broken == []


def test_clients_that_never_read_are_cut_off(server):
    before = usage(worker_pids(server.process.pid)[0]).rss
    clients = []
    for _ in range(50):
        client = connect(server.port)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(get("/docs/swagger-ui-bundle.js") * 20)
        clients.append(client)
    check_alive(server)
    wait_until(lambda: descriptors(server) < 40)
    for client in clients:
        client.close()
    # 20 bundles of 1.4 MB for each of 50 would be 1.4 GB; one each may wait to be sent.
    assert usage(worker_pids(server.process.pid)[0]).rss - before < 200_000


@pytest.mark.parametrize("declared", [True, False], ids=["length", "chunks"])
def test_a_body_over_the_limit_is_refused_before_it_is_sent(server, declared):
    with connect(server.port) as client, client.makefile("rb") as stream:
        framing = b"Content-Length: 3000000" if declared else b"Transfer-Encoding: chunked"
        client.sendall(HEAD + framing + b"\r\n\r\n")
        if not declared:
            client.sendall(b"10001\r\n" + b"x" * 65_537)
        answer = read_answer(stream)  # the rest is still unsent
        assert (answer.status, set(json.loads(answer.body))) == (413, {"error"})


def test_three_megabytes_in_single_bytes_are_refused_early_and_take_no_memory(patient_server):
    pid = worker_pids(patient_server.process.pid)[0]
    check_alive(patient_server)
    before = usage(pid).rss
    with connect(patient_server.port) as client, client.makefile("rb") as stream:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):  # cut off
            for _ in range(3_000):
                client.sendall(b"1\r\n \r\n" * 1000)
        try:
            answer = read_answer(stream)
        except OSError:
            answer = None  # the reset overtook it
    assert answer is None or answer.status == 413
    assert usage(pid).rss - before < 20_000


def test_clients_that_vanish_leave_no_thread_and_no_descriptor(server):
    pid = worker_pids(server.process.pid)[0]
    vanish_many(server.port, 100)
    wait_until(lambda: descriptors(server) < 40)
    before = usage(pid)
    vanish_many(server.port, 1000)
    check_alive(server)
    wait_until(lambda: usage(pid).descriptors <= before.descriptors + 2)
    after = usage(pid)
    assert after.threads <= before.threads
    assert after.rss - before.rss < 20_000


def mixed_requests(count: int, seed: int) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """Return requests that the lane takes and such that it does not, and what each is answered."""
    kinds = [
        (PREDICT, (200, b'"prediction_code":1')),
        (post(b'{"Age": 45, "Age": 45}'), (400, b"twice")),
        (post(json.dumps(EXAMPLE | {"Age": 7}).encode()), (422, b"out of range")),
        (get("/health/live"), (200, b'"live"')),
        (get("/nowhere"), (404, b"error")),
        (post(json.dumps(EXAMPLE).encode(), "Content-Type: application/json;charset=utf-8"), (200, b'"Approved"')),
    ]
    chosen = random.Random(seed).choices(kinds, k=count)
    return [request for request, _ in chosen], [expected for _, expected in chosen]


@pytest.mark.parametrize("cut", [1, 1500, 10**6], ids=["bytes", "segments", "one piece"])
def test_requests_of_both_ways_are_answered_in_order(server, cut):
    count = 50 if cut == 1 else 200
    requests, expected = mixed_requests(count, seed=cut)
    data = b"".join(requests)
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), cut):
            client.sendall(data[start : start + cut])
        answers = [read_answer(stream) for _ in range(count)]
    for answer, (status, part) in zip(answers, expected, strict=True):
        assert answer.status == status
        assert part in answer.body


def test_who_closes_its_side_after_a_request_is_answered(server):
    for request in (PREDICT, get("/openapi.json")):
        with connect(server.port) as client, client.makefile("rb") as stream:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            assert [answer.status for answer in read_answers(stream)] == [200]


def has_ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_more_connections_than_allowed_take_the_places_of_the_oldest(server):
    wait_until(lambda: descriptors(server) < 40)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server.port)) for _ in range(MOST_CONNECTIONS + 20)]
        assert all(map(has_ended, clients[:20]))
        for client in clients[-5:]:
            client.sendall(get("/health/live"))
            with client.makefile("rb") as stream:
                assert read_answer(stream).status == 200
    wait_until(lambda: server.request("GET", "/health/live").status == 200)


SMUGGLED = {
    "a short body": (post(b"{}", "Content-Length: 9"), [400]),
    "a long body": (post(b"{}" + b"GET /health/live HTTP/1.1\r\n", "Content-Length: 2"), [422, 400]),
    "length and chunks": (post(b"0\r\n\r\n", "Transfer-Encoding: chunked"), [400]),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}", [400]),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), [400]),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30), [400]),
    "the asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [200]),
    "a target of NUL": (get("/docs/%00", "Connection: close"), [404]),
    "a target above": (get("/docs/../../../../etc/passwd", "Connection: close"), [404]),
    "a target above, hidden": (get("/docs/%2e%2e/%2e%2e/etc/passwd", "Connection: close"), [404]),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_is_ambiguous_or_no_http_is_refused_and_never_an_internal_error(server, name):
    data, statuses = SMUGGLED[name]
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in read_answers(stream)] == statuses
    assert Path("/etc/passwd").read_bytes()[:9] not in server.log.read_bytes()


def test_random_bytes_are_refused(server):
    source = random.Random(7)
    for _ in range(100):
        statuses = [answer.status for answer in exchange(server.port, source.randbytes(200) + b"\r\n\r\n")]
        assert statuses in ([400], [])
