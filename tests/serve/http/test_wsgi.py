import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serve.http import wsgi
from serve.http.wsgi import Request

SERVER = ("127.0.0.1", 8000)


def request(method: bytes = b"GET", target: bytes = b"/", body: bytes = b"", version: str = "1.1", **headers: bytes):
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Request(method, target, named, body, True, version)


def answering(status: str, headers: list[tuple[str, str]], *chunks: bytes) -> Callable[..., Any]:
    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(status, headers)
        return list(chunks)

    return application


def test_the_environ_describes_the_request():
    asked = request(
        b"POST", b"/a%20b/%C3%A9?x=1&y=%20", b"body", host=b"h:1", content_type=b"text/plain", accept=b"*/*"
    )
    environ = wsgi.make_environ(asked, SERVER)
    assert environ["wsgi.input"].read() == b"body"
    assert isinstance(environ.pop("wsgi.input"), io.BytesIO)
    assert environ.pop("wsgi.errors") is sys.stderr
    assert environ.pop("serve.body") is asked.body
    assert {name: value for name, value in environ.items() if not name.startswith("wsgi.")} == {
        **{"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/a b/Ã©", "QUERY_STRING": "x=1&y=%20"},
        "RAW_URI": "/a%20b/%C3%A9?x=1&y=%20",
        **{"SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": "4"},
        **{"CONTENT_TYPE": "text/plain", "HTTP_HOST": "h:1", "HTTP_ACCEPT": "*/*"},
    }


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/x?", "/x", ""),
        (b"/x?a?b", "/x", "a?b"),
        (b"//x/y", "//x/y", ""),
    ],
)
def test_a_target_is_a_path_and_what_follows_the_first_question_mark(target, path, query):
    environ = wsgi.make_environ(request(target=target), SERVER)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)


def test_a_header_with_an_underscore_is_dropped():
    asked = request(host=b"x")
    asked.headers[b"x_trace"] = b"false"
    assert "HTTP_X_TRACE" not in wsgi.make_environ(asked, SERVER)


def test_content_length_is_that_of_the_received_body():
    asked = request(b"POST", body=b"abc", transfer_encoding=b"chunked", content_length=b"9", connection=b"close")
    environ = wsgi.make_environ(asked, SERVER)
    assert environ["CONTENT_LENGTH"] == "3"
    assert not {"HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH", "HTTP_CONNECTION"} & set(environ)


def test_the_answer_keeps_the_order_of_its_headers():
    headers = [("B", "1"), ("A", "2"), ("B", "3")]
    status, rest = wsgi.call(answering("200 OK", headers, b"ab", b"c"), request(), SERVER)
    assert (status, rest) == (b"HTTP/1.1 200 OK\r\n", b"B: 1\r\nA: 2\r\nB: 3\r\nContent-Length: 3\r\n\r\nabc")


def test_connection_headers_of_the_application_are_dropped():
    headers = [("Connection", "close"), ("Date", "x"), ("Transfer-Encoding", "chunked"), ("Content-Length", "0")]
    assert wsgi.call(answering("200 OK", headers), request(), SERVER)[1] == b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_response_that_may_have_no_body_has_no_length(status):
    assert wsgi.call(answering(status, []), request(), SERVER)[1] == b"\r\n"


def test_the_response_to_head_has_the_length_of_the_body_but_no_body():
    assert wsgi.call(answering("200 OK", [], b"abc"), request(b"HEAD"), SERVER)[1] == b"Content-Length: 3\r\n\r\n"


def test_what_an_application_writes_comes_before_what_it_returns():
    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        yield b"b"

    assert wsgi.call(application, request(), SERVER)[1] == b"Content-Length: 2\r\n\r\nab"


class Chunks(list):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_the_iterable_is_closed_even_when_it_fails():
    chunks = Chunks([None])

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Chunks:
        start_response("200 OK", [])
        return chunks

    with pytest.raises(TypeError):
        wsgi.call(application, request(), SERVER)
    assert chunks.closed


def test_an_error_is_json_with_its_length():
    status, rest = wsgi.make_error(500, "internal error")
    assert status == b"HTTP/1.1 500 Internal Server Error\r\n"
    head = b"Content-Type: application/json\r\nContent-Length: 26\r\n\r\n"
    assert rest == head + b'{"error":"internal error"}'


def test_503_has_retry_after():
    assert b"\r\nRetry-After: 1\r\n\r\n" in wsgi.make_error(503, "too many")[1]


def test_a_body_too_large_has_the_same_reason_phrase_in_every_python():
    assert wsgi.make_error(413, "too large")[0] == b"HTTP/1.1 413 Content Too Large\r\n"
