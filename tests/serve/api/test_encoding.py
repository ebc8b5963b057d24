import gzip
import json
import re
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

from serve.api import encoding
from serve.api.encoding import decompress
from serve.errors import RequestError

JSON = "application/json"
BATCH = "/api/v2/predict/batch"
MODEL = "loan_approval_model"
SINGLE = ["/api/v2/decision", "/api/v2/predict"]
MANY = [
    *(BATCH, "/invocations", f"/v1/models/{MODEL}:explain", f"/v1/models/{MODEL}:predict"),
    *(f"/v2/models/{MODEL}/infer", f"/v2/models/{MODEL}/versions/7/infer"),
]
ROUTES = [*SINGLE, *MANY]


def test_these_are_all_the_routes_that_read_a_body(client):
    rules = [rule.rule for rule in client.application.url_map.iter_rules() if "POST" in rule.methods]
    values = {"name": MODEL, "version": "7"}
    paths = [re.sub(r"<(?:model:)?(\w+)>", lambda part: values[part[1]], rule) for rule in rules]
    assert sorted(paths) == sorted(ROUTES)


# Requests in an encoding.


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", ["br", "deflate", "zstd", "gzip, gzip", "aws-chunked", "x", "gzip;q=1"])
def test_an_encoding_that_is_not_taken_is_415_and_the_answer_says_what_is(client, path, name):
    response = client.post(path, data=b"\x0b\x02", content_type=JSON, headers={"Content-Encoding": name})
    taken = "gzip, identity" if path in MANY else "identity"
    assert (response.status_code, response.headers.get("Accept-Encoding")) == (415, taken)
    assert response.json["error"] == f"expected no Content-Encoding but {taken}"


@pytest.mark.parametrize("path", SINGLE)
def test_a_single_application_in_gzip_is_415(client, application, path):
    data = gzip.compress(json.dumps(application).encode())
    response = client.post(path, data=data, content_type=JSON, headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.headers["Accept-Encoding"]) == (415, "identity")


@pytest.mark.parametrize("name", ["identity", "Identity", "", " "])
def test_identity_is_no_encoding(client, application, name):
    for path, body in (("/api/v2/predict", application), (BATCH, [application])):
        assert client.post(path, json=body, headers={"Content-Encoding": name}).status_code == 200


def test_another_refusal_names_no_encoding(client):
    assert "Accept-Encoding" not in client.post("/api/v2/predict", data=b"{}", content_type="text/plain").headers


def bodies_of(application: dict[str, Any]) -> list[tuple[str, str, bytes]]:
    """Return a path, a content type and a body for each format of many rows."""
    line = ",".join(application) + "\r\n" + ",".join(map(str, application.values())) + "\r\n"
    tensors = [{"name": name, "shape": [1], "datatype": "FP64", "data": [x]} for name, x in application.items()]
    documents = [
        *((BATCH, [application]), (BATCH, {name: [value] for name, value in application.items()})),
        *(("/invocations", {"dataframe_records": [application]}), (MANY[2], {"instances": [application]})),
        *((MANY[3], {"instances": [application]}), (MANY[4], {"inputs": tensors})),
    ]
    return [
        *((path, JSON, json.dumps(document).encode()) for path, document in documents),
        *((path, "text/csv", line.encode()) for path in (BATCH, "/invocations")),
        ("/invocations", "application/jsonlines", json.dumps(application).encode() + b"\n"),
    ]


@pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip", "identity, gzip"])
def test_many_rows_in_gzip_are_answered_as_they_are_plainly(client, application, name):
    for path, kind, body in bodies_of(application):
        plain = client.post(path, data=body, content_type=kind)
        packed = client.post(path, data=gzip.compress(body), content_type=kind, headers={"Content-Encoding": name})
        decision_ids = [each.headers["X-Decision-Id"].encode() for each in (plain, packed)]
        assert plain.status_code == 200, (path, kind)
        assert packed.data.replace(decision_ids[1], b"") == plain.data.replace(decision_ids[0], b""), (path, kind)


@pytest.mark.parametrize("held", [True, False], ids=["held by the front", "read from the stream"])
def test_a_body_is_limited_decompressed(shelf, make_app, application, held):
    shelf.promote("loans")
    client = make_app(max_batch_bytes=2000).test_client()
    statuses = {}
    for size in (2000, 2001):
        body = gzip.compress(json.dumps([application]).encode().ljust(size))
        more = {"serve.body": body, "wsgi.input": None} if held else {}
        headers = {"Content-Encoding": "gzip"}
        response = client.post(BATCH, data=body, content_type=JSON, headers=headers, environ_overrides=more)
        statuses[size] = response.status_code
    assert statuses == {2000: 200, 2001: 413}
    assert response.json == {"error": "the body is too large, at most 2000 bytes are allowed, decompressed"}


# The decompression.


def test_a_bomb_costs_no_more_memory_than_the_limit():
    bomb, most = gzip.compress(bytes(200_000_000)), 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(RequestEntityTooLarge):
            decompress(bomb, most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * most


@given(st.binary(max_size=300) | st.integers(0, 300_000).map(bytes), st.integers(0, 9))
def test_whatever_was_compressed_comes_back(data, level):
    packed = gzip.compress(data, level)
    assert decompress(packed, len(data)) == data
    if data:
        with pytest.raises(RequestEntityTooLarge):
            decompress(packed, len(data) - 1)


@given(st.data())
def test_bytes_that_are_not_one_whole_member_are_refused(data):
    whole = gzip.compress(data.draw(st.binary(max_size=100) | st.just(bytes(70_000))))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for broken in (cut, whole + b"\0", whole + whole, b"x" + whole, whole[:-1] + bytes([whole[-1] ^ 1])):
        with pytest.raises(RequestError, match=r"^expected a body in gzip"):
            decompress(broken, 100_000)


def test_no_other_format_of_deflate_passes_for_gzip():
    for wbits in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        with pytest.raises(RequestError):
            decompress(zlib.compress(b"[]", wbits=wbits), 100)


def test_a_body_that_is_not_gzip_is_400_and_quoted_nowhere(client, caplog):
    response = client.post(BATCH, data=b"7130425", content_type=JSON, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    assert response.json["error"].startswith("expected a body in gzip")
    assert "7130425" not in response.text + caplog.text


# Responses in gzip.


def ask(client, application, rows: int, **headers: str):
    return client.post(BATCH, json=[application] * rows, headers=headers)


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("*", True),
        ("gzip;q=0.5", True),
        ("br;q=1, gzip;q=0.2, identity;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("identity", False),
        ("br", False),
        ("", False),
        ("*;q=0", False),
        ("gzip" + " " * 500, False),
    ],
)
def test_a_large_answer_is_in_gzip_where_the_caller_takes_it(client, application, accepted, is_packed):
    plain = ask(client, application, 1000)
    response = ask(client, application, 1000, **{"Accept-Encoding": accepted})
    assert len(plain.data) > encoding.SMALLEST
    assert response.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
    assert response.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert (gzip.decompress(response.data) if is_packed else response.data) == plain.data


def test_a_small_answer_is_not_compressed(client, application):
    response = ask(client, application, 1, **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept-Encoding"


def test_an_answer_to_one_application_depends_on_no_encoding(client, application):
    response = client.post("/api/v2/predict", json=application, headers={"Accept-Encoding": "gzip"})
    assert not {"Vary", "Content-Encoding"} & set(response.headers.keys())


# Charsets.


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("kind", [JSON, "text/csv"])
@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "ascii", "utf-8-sig", '"iso-8859-1"', "UTF-80"])
def test_another_charset_is_415_on_every_route(client, application, path, kind, charset):
    response = client.post(path, data=json.dumps(application), content_type=f"{kind}; charset={charset}")
    assert response.status_code == 415


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "Utf8", "utf8", '"utf-8"', '"UTF8"'])
def test_utf_8_is_taken_in_every_spelling(client, application, charset):
    for path, body in (("/api/v2/predict", application), ("/api/v2/decision", application), (BATCH, [application])):
        kind = f"{JSON}; charset={charset}"
        assert client.post(path, data=json.dumps(body), content_type=kind).status_code == 200
