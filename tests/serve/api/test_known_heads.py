"""A head that is answered without parsing it again: the same bytes get the same answer, however they come."""

import hashlib
import json
import socket
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serve.api.service import Service
from serve.http.front import KNOWN_HEADS, LONGEST_KNOWN, Front
from serve.metrics.names import DECISIONS, SECONDS
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.raw_http import RawAnswer, connect, get, post, read_answer, read_answers
from tests.serve.http.front_server import FrontServer, serving
from tests.waiting import wait_until

LOANS = {
    **{"Age": 45, "Annual_Income": 85000, "Credit_Score": 650, "Loan_Amount": 25000, "Loan_Duration_Years": 10},
    **{"Number_of_Open_Accounts": 5, "Had_Past_Default": 0},
}
BODY = json.dumps(LOANS).encode()


@pytest.fixture(scope="module")
def store(tmp_path_factory, model_file: Callable[[str], bytes]) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    scorer = store.install(model_file("loans"), {})
    store.point(Pointer(scorer.sha256, scorer.contract.model_name, "production", "7", "run-1", "passed"))
    return store


@pytest.fixture(scope="module")
def server(store) -> Iterator[FrontServer]:
    settings = Settings(store=store.path, poll_seconds=3600, receive_seconds=60.0)
    with serving(lambda: Front(Service(settings), settings)) as server:
        yield server


def ask(server: FrontServer, *parts: bytes, answers: int = 1) -> list[RawAnswer]:
    """Send the parts one after the other; return the first answers."""
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            client.sendall(part)
        return [read_answer(stream) for _ in range(answers)]


def masked(answers: list[RawAnswer]) -> list[bytes]:
    return [answer.masked for answer in answers]


def check_all_ways(server: FrontServer, data: bytes) -> RawAnswer:
    """Send a request with an unknown head, again, byte by byte, after another one and before another one."""
    server.on_loop(server.front.heads.clear)
    (first,) = ask(server, data)
    (again,) = ask(server, data)
    (slow,) = ask(server, *(data[i : i + 1] for i in range(len(data))))
    after = ask(server, get("/health/live") + data, answers=2)
    assert [first.masked] * 3 == masked([again, slow, after[1]])
    if first.header("connection") != "close":
        before = ask(server, data + get("/health/live"), answers=2)
        assert masked(before) == masked([first, after[0]])
        with connect(server.port) as client, client.makefile("rb") as stream:
            for _ in range(3):  # on one connection
                client.sendall(data)
                assert read_answer(stream).masked == first.masked
    return first


HEADS = {
    "plain": (True, ()),
    "an applicant": (True, ("X-Applicant-Key: a-1",)),
    "a trace": (True, ("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)),
    "a broken trace": (True, ("traceparent: 00",)),
    "a charset": (True, ("Content-Type: application/json; charset=utf-8",)),
    "another type": (False, ("Content-Type: text/plain",)),
    "compressed": (False, ("Content-Encoding: gzip",)),
    "closing": (False, ("Connection: close",)),
    "an upgrade": (False, ("Connection: upgrade", "Upgrade: h2c")),
    "a long head": (False, ("A: " + "b" * LONGEST_KNOWN,)),
    "no length": (False, ("Content-Length:",)),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_known_head_is_answered_as_an_unknown_one(server, name):
    is_kept, headers = HEADS[name]
    data = post(BODY, *headers)
    check_all_ways(server, data)
    head = data[: -len(BODY)]
    assert (head in server.front.heads) == is_kept


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Expect: 100-continue"])
def test_a_head_without_plain_framing_is_not_kept(server, framing):
    server.on_loop(server.front.heads.clear)
    chunked = framing.startswith("Transfer")
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) if chunked else BODY
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(
            post(body, framing, "Content-Length:" if not chunked else "").replace(b"Content-Length:\r\n", b"")
        )
        assert read_answer(stream).status in (100, 200, 400)
    assert not server.front.heads


def test_a_head_that_began_in_another_read_is_not_kept(server):
    server.on_loop(server.front.heads.clear)
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(b"\r")
        wait_until(lambda: [bytes(each._head) for each in list(server.front.connections)] == [b"\r"])
        client.sendall(b"\n" + post(BODY))
        assert read_answer(stream).status == 200
    assert not server.front.heads
    assert ask(server, b"\n" + post(BODY))[0].status == 400


@pytest.mark.parametrize("begun", [b"\r", b"\n"])
def test_a_known_head_behind_half_an_empty_line_is_refused_like_an_unknown_one(server, begun):
    assert [ask(server, post(BODY))[0].status for _ in range(2)] == [200, 200]
    assert server.front.heads
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(begun)
        wait_until(lambda: [bytes(each._head) for each in list(server.front.connections)] == [begun])
        client.sendall(post(BODY))
        assert read_answer(stream).status == 400


numbers = st.integers(-5, 10**6) | st.floats() | st.none() | st.text(max_size=3)
applications = st.fixed_dictionaries({name: st.just(value) | numbers for name, value in LOANS.items()})
bodies = (
    applications.map(lambda each: json.dumps(each).encode())
    | st.binary(max_size=300)
    | st.tuples(st.integers(0, len(BODY)), st.binary(max_size=4)).map(
        lambda cut: BODY[: cut[0]] + cut[1] + BODY[cut[0] :]
    )
)
headers = st.lists(
    st.sampled_from(
        ["Accept: */*", "X-Applicant-Key: k", "Content-Type: application/json", "Host: h:80", "A:", "a: b"]
    ),
    max_size=4,
    unique=True,
)


@given(body=bodies, added=headers)
@example(body=b"", added=[])
def test_any_request_gets_one_answer_however_it_comes(server, body, added):
    check_all_ways(server, post(body, *added))


def test_a_known_head_waits_for_its_whole_body_though_what_came_is_json_already(server):
    data = post(BODY + b" " * 10)
    (whole,) = ask(server, data)
    assert data[: -len(BODY) - 10] in server.front.heads
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(data[:-10])
        wait_until(lambda: [each.held for each in server.front.half_sent] == [len(BODY)])
        client.sendall(b" " * 10 + get("/health/live"))
        assert read_answer(stream).masked == whole.masked
        assert read_answer(stream).status == 200


@given(data=st.data())
def test_a_head_that_differs_in_one_byte_is_another_head(server, data):
    whole = post(BODY)
    ask(server, whole)
    at = data.draw(st.integers(0, len(whole) - len(BODY) - 5))
    changed = whole[:at] + data.draw(st.binary(min_size=1, max_size=2)) + whole[at + 1 :]
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(changed)
        client.shutdown(socket.SHUT_WR)
        quick = [answer.masked for answer in read_answers(stream)]
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(changed)):
            try:
                client.sendall(changed[i : i + 1])
            except OSError:
                break  # refused before it was all sent
        client.shutdown(socket.SHUT_WR)
        assert [answer.masked for answer in read_answers(stream)] == quick


def test_the_table_of_heads_is_bounded_and_the_oldest_goes_first(server):
    server.on_loop(server.front.heads.clear)
    for number in range(KNOWN_HEADS + 10):
        ask(server, post(BODY, f"A: {number}"))
    assert len(server.front.heads) == KNOWN_HEADS
    assert b"A: 9\r\n" not in b"".join(server.front.heads)
    assert b"A: 10\r\n" in b"".join(server.front.heads)


def test_a_decision_with_a_known_head_is_counted_as_any_other(store):
    settings = Settings(store=store.path, poll_seconds=3600)
    services = []
    with serving(lambda: Front(services.append(Service(settings)) or services[0], settings)) as server:
        for _ in range(5):
            ask(server, post(BODY))
        text = services[0]._parts.observer.expose().decode()
    assert f'{SECONDS}_count{{method="POST",route="/api/v2/predict",status="200"}} 5.0' in text
    decisions = [float(line.split()[-1]) for line in text.splitlines() if line.startswith(DECISIONS)]
    assert sum(decisions) == 5


def test_a_key_that_was_revoked_no_longer_opens_a_known_head(store, tmp_path):
    path = tmp_path / "keys"
    kept = f"other:{'0' * 64}\n"
    path.write_text(f"{kept}bank:{hashlib.sha256(b'secret').hexdigest()}\n")
    settings = Settings(store=store.path, poll_seconds=3600, api_keys_file=path)
    data = post(BODY, "X-API-Key: secret")
    with serving(lambda: Front(Service(settings), settings)) as server:
        assert [answer.status for _ in range(2) for answer in ask(server, data)] == [200, 200]
        assert server.front.heads
        path.write_text(kept)
        wait_until(lambda: ask(server, data)[0].status == 401)
