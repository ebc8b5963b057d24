"""What is read as a request and what is refused, on real sockets."""

import logging
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from serve.http.reader import FRAMING, HEAD_BYTES, HEADERS
from tests.raw_http import connect, exchange, get, post, read_answer, read_answers
from tests.serve.http.front_server import BODY_LIMIT, HEAD, refused
from tests.waiting import wait_until

CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
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
    "another protocol": b"GET / RTSP/1.0\r\nHost: x\r\n\r\n",
    "a third protocol": b"SOURCE / ICE/1.0\r\nHost: x\r\n\r\n",
    "the asterisk of another method": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /x#y HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment in an absolute target": b"GET http://x/y#z HTTP/1.1\r\nHost: x\r\n\r\n",
    "another scheme": b"GET ftp://x/y HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target without a host": b"GET http:///y HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target of nothing": b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target with a user": b"GET http://a@x/y HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target with half an address": b"GET http://[::1/y HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare LF before": b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare CR before": b"\rGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an empty line and a bare LF before": b"\r\n\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two CRs and LF before": b"\r\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a host with half an escape": b"GET / HTTP/1.1\r\nHost: %4\r\n\r\n",
    "a host with a space": b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
    "a host with a slash": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: a@x\r\n\r\n",
    "a list of hosts": b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n",
    "a port that is none": b"GET / HTTP/1.1\r\nHost: x:y\r\n\r\n",
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
    "a chunk size that is none": HEAD + CHUNKS + b"x\r\n",
    "a chunk size with a sign": HEAD + CHUNKS + b"+1\r\na\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": HEAD + CHUNKS + b"fffffffffffffffff\r\n",
    "a chunk that is longer": HEAD + CHUNKS + b"1\r\nab\r\n0\r\n\r\n",
    "an encoding among the trailers": HEAD + CHUNKS + b"1\r\na\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a length among the trailers": HEAD + CHUNKS + b"1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n",
    "bare LF after a chunk size": HEAD + CHUNKS + b"1\na\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_malformed_http_is_refused_and_not_logged(server, application, caplog, name):
    with caplog.at_level(logging.DEBUG):
        assert refused(server, NOT_HTTP[name]).status == 400
    assert application.asked == []
    assert [record.name for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize("name", [name for name, data in NOT_HTTP.items() if data.endswith(b"Host: x\r\n\r\n")])
def test_an_offer_of_another_protocol_does_not_spare_the_request_its_checks(server, application, name):
    data = NOT_HTTP[name][:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert refused(server, data).status == 400
    assert application.asked == []


def test_a_stray_line_end_after_a_request_is_answered_by_nothing_and_the_request_behind_it_is_refused(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x"))
        assert read_answer(stream).status == 200
        client.sendall(b"\n")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(60)
        client.sendall(get("/x"))
        assert client.recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize("cut", [1, 7])
@pytest.mark.parametrize("name", NOT_HTTP)
def test_malformed_http_in_pieces_is_refused(server, application, name, cut):
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
    "a tab after chunked": (HEAD + b"Transfer-Encoding: chunked\t\r\n\r\n1\r\na\r\n0\r\n\r\n", b"POST /x 1"),
    "white space after chunked": (HEAD + b"Transfer-Encoding: chunked \t \r\nA: b\r\n\r\n0\r\n\r\n", b"POST /x 0"),
    "an extension and a trailer": (
        HEAD + CHUNKS + b"1;a=b\r\na\r\n0\r\nT: x\r\n\r\n",
        b"POST /x 1",
    ),
    "a length of many zeros": (HEAD + b"Content-Length: " + b"0" * 5000 + b"1\r\n\r\na", b"POST /x 1"),
    "an absolute target": (b"GET http://x/y HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /y 0"),
    "an absolute target alone": (b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / 0"),
    "an absolute target of a query": (b"GET HTTP://x:1?a/y HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / 0"),
    "the asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS / 0"),
    "empty lines before": (b"\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /x 0"),
    "HTTP/1.0 without a host": (b"GET /x HTTP/1.0\r\n\r\n", b"GET /x 0"),
}


@pytest.mark.parametrize("cut", [1, 10**6])
@pytest.mark.parametrize("name", RIGHT)
def test_unusual_but_valid_http_is_answered(server, name, cut):
    data, answer = RIGHT[name]
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), cut):
            client.sendall(data[start : start + cut])
        assert read_answer(stream).body == answer


@pytest.mark.parametrize("cut", [1, 10**6])
@pytest.mark.parametrize(
    "trailer",
    ["T: x", "Connection: close", "Connection: upgrade\r\nUpgrade: h2c", "Expect: 100-continue", "Host: y"],
)
def test_a_trailer_changes_neither_framing_nor_persistence(server, trailer, cut):
    chunked = HEAD + f"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n{trailer}\r\n\r\n".encode()
    data = (chunked + get("/y")) * 2
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), cut):
            client.sendall(data[start : start + cut])
        assert [read_answer(stream).body for _ in range(4)] == [b"POST /x 1", b"GET /y 0"] * 2


def test_in_http_1_0_a_persistent_connection_is_announced(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        for _ in range(2):
            client.sendall(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = read_answer(stream)
            assert (answer.body, answer.header("connection")) == (b"GET /x 0", "keep-alive")
        client.sendall(b"GET /x HTTP/1.0\r\n\r\n")
        assert [answer.header("connection") for answer in read_answers(stream)] == ["close"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("options", ["keep-alive, close", "close,keep-alive", "Keep-Alive\r\nConnection: CLOSE"])
def test_of_both_options_close_holds_in_either_version(server, application, version, options):
    data = f"GET /x HTTP/{version}\r\nHost: x\r\nConnection: {options}\r\n\r\n".encode()
    assert [answer.header("connection") for answer in exchange(server.port, data + get("/smuggled"))] == ["close"]
    assert application.asked == ["/x"]


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, b"HEAD /x HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (413, b"HEAD /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"),
        (431, b"HEAD /x HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n"),
    ],
)
def test_a_refusal_of_a_head_request_has_no_body(server, status, data):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(data)
        assert read_answer(stream, "HEAD").status == status
        assert stream.read() == b""


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")


@pytest.mark.parametrize("expects", [(), ("Expect: 100-continue",)], ids=["at once", "with an expectation"])
@pytest.mark.parametrize("cut", [1, 10**6])
def test_an_upgrade_request_is_answered_in_http_1(server, application, cut, expects):
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


def test_an_upgrade_request_that_closes_is_answered_once(server, application):
    offer = get("/x", "Connection: Upgrade, close", "Upgrade: h2c")
    assert [answer.body for answer in exchange(server.port, offer + get("/smuggled"))] == [b"GET /x 0"]
    assert application.asked == ["/x"]


def test_many_upgrade_requests_in_one_piece_are_answered(server):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(get("/x", *UPGRADE) * 1500)
        assert [read_answer(stream).status for _ in range(1500)] == [200] * 1500


def test_connect_is_refused_and_what_follows_is_no_request(server, application):
    assert refused(server, b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n" + get("/smuggled") * 3).status == 400
    assert application.asked == []


def test_bytes_after_connection_close_are_no_request(server, application):
    answers = exchange(server.port, get("/last", "Connection: close") + get("/smuggled"))
    assert [answer.body for answer in answers] == [b"GET /last 0"]
    assert application.asked == ["/last"]


# Bounds.


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (413, HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1)),
        (413, HEAD + CHUNKS + b"3e9\r\n" + b"x" * (BODY_LIMIT + 1)),
        (413, HEAD + CHUNKS + b"3e9\r\n"),
        (413, HEAD + CHUNKS + b"3e8\r\n" + b"x" * 1000 + b"\r\n1;a=b\r\n"),
        (413, HEAD + CHUNKS + b"ffffffffffffffff\r\n"),
        (431, HEAD + b"".join(b"A%d: b\r\n" % i for i in range(HEADERS)) + b"\r\n"),
        (431, HEAD + b"A: b\r\n" * 2000 + b"\r\n"),
        (431, HEAD + b"A: " + b"b" * HEAD_BYTES + b"\r\n\r\n"),
        (431, HEAD + b"".join(b"A%d: %b\r\n" % (i, b"b" * 1000) for i in range(40)) + b"\r\n"),
        (431, b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    ],
    ids=[
        *("length", "chunks", "a chunk size", "the size of the last chunk", "an endless chunk", "many headers"),
        *("one header again and again", "a long header", "long headers", "target"),
    ],
)
def test_a_head_or_body_that_is_too_large_is_refused(server, application, status, data):
    assert refused(server, data).status == status
    assert application.asked == []


@pytest.mark.parametrize(
    ("status", "begin", "on"),
    [
        (431, b"GET /", b"a" * 100),
        (431, HEAD, b"A: b\r\n"),
        (431, HEAD + b"A: ", b"a" * 100),
        (431, HEAD, b"a" * 100),
        (413, HEAD + CHUNKS + b"0\r\nT: ", b"a" * 100),
        (413, HEAD + CHUNKS + b"0\r\n", b"T: a\r\n" * 20),
        (413, HEAD + CHUNKS + b"1;", b"a" * 100),
        (413, HEAD + CHUNKS + b"", b"1;%b\r\na\r\n" % (b"a" * 100)),
        (413, HEAD + CHUNKS + b"", b"1\r\na\r\n" * 20),
    ],
    ids=[
        *("target", "headers", "header value", "header name", "trailer", "trailers", "extension", "extensions"),
        "chunks",
    ],
)
def test_an_endless_request_is_cut_off_after_a_bounded_number_of_bytes(server, status, begin, on):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(begin)
        sent = 0
        client.settimeout(0.001)
        answer = b""
        deadline = time.monotonic() + 60
        while not answer:
            assert time.monotonic() < deadline
            try:
                sent += client.send(on)
                answer = client.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
        client.settimeout(60)
        assert read_answer(stream).status == status
    # At most two reads of the socket above the bound; reads are small here.
    assert sent < 2 * (HEAD_BYTES + FRAMING * BODY_LIMIT)


@pytest.mark.parametrize("line", [b"GET /x", b"GET http://y/x", b"GET https://y:1/x"])
def test_a_target_with_a_host_has_the_limits_of_its_path(server, monkeypatch, line):
    asked = []
    monkeypatch.setattr(server.front, "body_limit", lambda target: asked.append(target) or 100)
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(line + b" HTTP/1.1\r\nHost: y\r\n\r\n")
        assert read_answer(stream).status == 200
    assert asked == [b"/x"]


def test_many_short_requests_in_large_pieces_are_no_endless_head(server):
    count = 1500
    data = get("/x", "A: " + "b" * 200) * count
    with connect(server.port) as client, client.makefile("rb") as stream:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert [read_answer(stream).status for _ in range(count)] == [200] * count
        sender.join()


def test_a_body_of_single_bytes_may_be_as_long_as_another(server):
    data = HEAD + CHUNKS + b"1\r\na\r\n" * BODY_LIMIT + b"0\r\n\r\n"
    with connect(server.port) as client, client.makefile("rb") as stream:
        for start in range(0, len(data), 11):
            client.sendall(data[start : start + 11])
        assert read_answer(stream).body == b"POST /x 1000"


def test_a_body_longer_than_its_length_is_no_part_of_it(server):
    answers = exchange(server.port, post(b"abcdef", "Content-Length: 3", path="/x"))
    assert [(answer.status, answer.body[:9]) for answer in answers] == [(200, b"POST /x 3"), (400, answers[1].body[:9])]


def test_an_internal_error_while_reading_is_answered_and_logged_by_its_class(server, caplog, monkeypatch):
    def fail(_target: bytes) -> int:
        raise LookupError("secret")

    monkeypatch.setattr(server.front, "body_limit", fail)
    assert refused(server, get("/x")).status == 500
    assert [record.getMessage() for record in caplog.records] == ["LookupError while a request was read"]


def test_all_bodies_together_have_a_bound_and_give_their_room_back(serve):
    server = serve(max_buffered_bytes=3000, max_body_bytes=2000)
    for _ in range(5):  # answered bodies leave nothing behind
        assert exchange(server.port, post(bytes(1000), "Connection: close", path="/x"))[0].status == 200
    with connect(server.port) as holding, connect(server.port) as gone:
        holding.sendall(post(bytes(1500), path="/x")[:-1])
        gone.sendall(post(bytes(1000), path="/x")[:-1])
        wait_until(lambda: server.front.body_bytes == 2498)
        answer = refused(server, post(bytes(900), path="/x"))
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        gone.close()
        wait_until(lambda: server.front.body_bytes == 1499)
        assert exchange(server.port, post(bytes(1000), "Connection: close", path="/x"))[0].status == 200
    wait_until(lambda: server.front.body_bytes == 0)


def test_when_the_room_for_bodies_is_full_those_that_have_come_furthest_are_received(serve):
    server = serve(max_buffered_bytes=4600, max_body_bytes=2000)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(server.port)) for _ in range(6)]
        sizes = (1500, 300, 1000, 1400, 200, 100)
        for client, size in zip(clients, sizes, strict=True):
            client.sendall(HEAD + b"Content-Length: 2000\r\n\r\n" + bytes(size))
            wait_until(lambda size=size: size in [each.held for each in server.front.half_sent])
        assert server.front.body_bytes == 4500
        clients[0].sendall(bytes(500))  # 400 bytes too many: the three that have sent least give way
        assert read_answer(clients[0].makefile("rb")).body == b"POST /x 2000"
        for client in (clients[5], clients[4], clients[1]):
            assert read_answer(client.makefile("rb")).status == 503
        for client in (clients[3], clients[2]):
            client.sendall(bytes(2000 - sizes[clients.index(client)]))
            assert read_answer(client.makefile("rb")).body == b"POST /x 2000"


def test_a_body_that_is_not_admitted_takes_no_room_and_the_application_answers(serve, application, monkeypatch):
    server = serve(max_buffered_bytes=65_536)
    monkeypatch.setattr(server.front, "admits", lambda _target, headers: b"x-key" in headers)
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(server.port)).sendall(post(bytes(1000), path="/x")[:-1])
        wait_until(lambda: len(server.front.half_sent) == 100)
        assert server.front.body_bytes == 0
        client = stack.enter_context(connect(server.port))
        answers = client.makefile("rb")
        client.sendall(post(bytes(900), path="/x") + post(bytes(800), "X-Key: k", path="/x"))
        assert [read_answer(answers).body for _ in range(2)] == [b"POST /x 0", b"POST /x 800"]


def test_a_response_gives_back_the_room_of_its_own_body_only(server, application):
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(post(bytes(100), path="/slow") + post(bytes(900), path="/x")[:-1])
        assert application.begun.acquire(timeout=60)
        assert server.front.body_bytes == 100
        application.go_on.set()
        assert read_answer(stream).body == b"POST /slow 100"
        wait_until(lambda: server.front.body_bytes == 899)
        client.sendall(b"x")
        assert read_answer(stream).body == b"POST /x 900"
        assert server.front.body_bytes == 0
