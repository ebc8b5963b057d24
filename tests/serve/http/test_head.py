import pytest

from serve.http.head import BAD_HOST, NO_HOST, NOT_HTTP, find_fault, origin_form, without_tab, without_upgrade


def fault(line: bytes = b"GET / HTTP/1.1", **headers: str) -> tuple[int, str] | None:
    method, target, version = line.split(b" ")
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return find_fault(line + b"\r\n", method, target, version.decode()[5:], named)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "x",
        "x:80",
        "x:",
        "a.b-c_d~e",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:80",
        "xn--bcher-kva.example",
        "%41",
        "a!$&'()",
    ],
)
def test_a_name_or_address_is_a_host(host):
    assert fault(host=host) is None


@pytest.mark.parametrize(
    "host", ["x y", "x, y", "x/y", "a@x", "x:y", "x:80:81", "::1", "[::1", "[x]", "bücher", "x#", "%4", "%zz"]
)
def test_anything_else_is_no_host(host):
    assert fault(host=host) == BAD_HOST


def test_only_http_1_1_needs_a_host():
    assert fault() == NO_HOST
    assert fault(b"GET / HTTP/1.0") is None


@pytest.mark.parametrize(
    "line",
    [
        *(b"GET * HTTP/1.1", b"GET /x#y HTTP/1.1", b"GET / RTSP/1.0", b"CONNECT x:1 HTTP/1.1"),
        *(b"GET ftp://x/y HTTP/1.1", b"GET http:///y HTTP/1.1", b"GET http://a@x/y HTTP/1.1"),
        *(b"GET http:// HTTP/1.1", b"GET https:// HTTP/1.0"),
    ],
)
def test_what_is_no_request_of_http_1_is_refused(line):
    assert fault(line, host="x") == NOT_HTTP


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/x?y", b"/x?y"),
        (b"//x/y", b"//x/y"),
        (b"http://host/x?y", b"/x?y"),
        (b"HTTPS://host", b"/"),
        (b"http://host?a/x", b"/?a/x"),
        (b"*", b"/"),
    ],
)
def test_every_form_of_a_target_has_a_path(target, path):
    assert origin_form(target) == path


def test_the_asterisk_asks_for_options():
    assert fault(b"OPTIONS * HTTP/1.1", host="x") is None


@pytest.mark.parametrize(
    ("line", "encoding", "is_taken"),
    [
        (b"POST / HTTP/1.1", "chunked", True),
        (b"POST / HTTP/1.1", "Chunked", True),
        (b"POST / HTTP/1.1", "gzip, chunked", False),
        (b"POST / HTTP/1.0", "chunked", False),
    ],
)
def test_the_only_transfer_encoding_is_chunked(line, encoding, is_taken):
    assert (fault(line, host="x", transfer_encoding=encoding) is None) == is_taken


def test_a_head_loses_its_upgrade_and_nothing_else():
    headers = {b"host": b"x", b"upgrade": b"h2c", b"connection": b"upgrade"}
    assert without_upgrade(b"GET", b"/", "1.1", headers) == b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "changed"),
    [
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\t\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            b"POST / HTTP/1.1\r\ntransfer-encoding:chunked \t\r\nA: b\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\nA: b\r\n\r\n",
        ),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\t\r\n", None),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\t\r\nTransfer-Encoding: chunked\t\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, x\t\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\t\r\n\r\n", None),
    ],
)
def test_the_tab_after_the_only_chunked_is_dropped(head, changed):
    assert without_tab(head) == changed
