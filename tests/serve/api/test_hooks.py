import hashlib
import json
import logging
import re
from base64 import b64encode
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serve.errors import SettingsError
from serve.http import wsgi
from serve.http.head import origin_form
from serve.metrics.log_format import JSONFormatter
from tests.exposition import read_series

KEY = "lab-key-4711"
PUBLIC = [
    *("/", "/ping", "/health", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"),
    *("/v2/models/x/ready", "/v2/models/x/versions/x/ready", "/v1/models/x"),
]


@pytest.fixture
def keys_file(tmp_path) -> Path:
    path = tmp_path / "keys.txt"
    path.write_text(f"lab:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    return path


@pytest.fixture
def keyed(shelf, make_app, keys_file) -> FlaskClient:
    """A client, without a key, of a server that requires one."""
    shelf.promote("loans", version="7")
    return make_app(api_keys_file=keys_file).test_client()


def test_every_route_but_the_public_ones_requires_a_key(keyed):
    for rule in keyed.application.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in rule.methods - {"OPTIONS"}:
            status = keyed.open(path, method=method).status_code
            assert (status == 401) is (path not in PUBLIC), (method, path, status)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("GET", "/healthy"), ("GET", "/health/../api/v2/model"), ("GET", "//"), ("BREW", "/"),
     ("GET", "/api/v2/predict"), ("OPTIONS", "/api/v2/predict"), ("GET", "/%2e/api/v2/model"), ("GET", "/ping/")],
)  # fmt: skip
def test_any_other_address_requires_a_key_before_its_own_error(keyed, method, path):
    assert keyed.open(path, method=method).status_code == 401


def test_the_refusal_is_the_same_for_no_key_a_wrong_one_and_a_near_one(keyed, application):
    answers = [
        keyed.post("/api/v2/predict", json=application, headers=headers)
        for headers in ({}, {"X-API-Key": "wrong"}, {"X-API-Key": KEY[:-1]}, {"Authorization": f"Bearer {KEY}x"})
    ]
    assert {(answer.status_code, answer.data, str(answer.headers)) for answer in answers} == {
        (401, b'{"error":"expected a valid API key"}', str(answers[0].headers))
    }
    assert answers[0].headers.getlist("WWW-Authenticate") == [
        'Bearer realm="loan-approval"',
        'Basic realm="loan-approval", charset="UTF-8"',
    ]


def test_the_body_of_a_refused_request_is_not_parsed(keyed):
    assert keyed.post("/api/v2/predict", data=b"{", content_type="application/json").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"X-API-Key": KEY},
        {"Authorization": "Basic " + b64encode(f"me:{KEY}".encode()).decode()},
    ],
)
def test_a_valid_key_is_accepted_on_every_route(keyed, application, headers):
    assert keyed.post("/api/v2/predict", json=application, headers=headers).status_code == 200
    for path in ("/api/v2/model", "/openapi.json", "/docs/", *(path for path in PUBLIC if "/x" not in path)):
        with keyed.get(path, headers=headers) as answer:
            assert answer.status_code == 200
    assert keyed.get("/nothing", headers=headers).status_code == 404


def test_uses_are_counted_by_name_and_refusals_by_status(keyed):
    keyed.get("/api/v2/model", headers={"X-API-Key": KEY})
    keyed.get("/api/v2/model", headers={"X-API-Key": "wrong"})
    text = keyed.application.extensions["observer"].expose().decode()
    assert read_series(text, "loan_key_uses_total", "key") == {("lab",): 1}
    counted = read_series(text, "loan_request_seconds_count", "route", "method", "status")
    assert counted == {("/api/v2/model", "GET", status): 1 for status in ("200", "401")}
    assert KEY not in text


def test_without_a_keys_file_no_key_is_required(client, application):
    assert client.post("/api/v2/predict", json=application).status_code == 200


def test_an_unusable_file_stops_the_start(make_app, tmp_path):
    (tmp_path / "keys.txt").write_text("lab\n")
    with pytest.raises(SettingsError, match=r"keys.txt line 1: expected name:sha256"):
        make_app(api_keys_file=tmp_path / "keys.txt")


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def counts(client: FlaskClient) -> dict[tuple[str, ...], float]:
    text = client.application.extensions["observer"].expose().decode()
    return read_series(text, "loan_request_seconds_count", "route", "method", "status")


def test_answers_and_errors_are_counted_under_their_route(client, application):
    client.post("/api/v2/predict", json=application)
    client.post("/api/v2/predict", json=application | {"Age": -1})
    client.post("/api/v2/predict", data=b"{", content_type="application/json")
    client.get("/")
    route = "/api/v2/predict"
    assert counts(client) == {
        (route, "POST", "200"): 1, (route, "POST", "422"): 1, (route, "POST", "400"): 1, ("/", "GET", "200"): 1,
    }  # fmt: skip


def test_invented_paths_and_methods_make_no_label(client):
    for number in range(20):
        client.get(f"/made-up/{number}?Age={number}")
        client.open("/", method=f"BREW{number}")
    client.get("/docs/no-such-asset-85125")
    assert counts(client) == {
        ("none", "GET", "404"): 20,
        ("none", "other", "405"): 20,
        ("/docs/<name>", "GET", "404"): 1,
    }


def test_no_value_of_an_application_is_in_the_metrics(client, application):
    for path in ("/api/v2/predict", "/api/v2/predict?income=4987123", "/4987123"):
        client.post(path, json=application | {"Annual_Income": 4987123.25})
        client.post(path, json=application | {"Age": 4987123})
    assert b"4987123" not in client.application.extensions["observer"].expose()


def test_a_prediction_is_counted_as_a_decision(client, application):
    label = client.post("/api/v2/predict", json=application).json["prediction"]
    text = client.application.extensions["observer"].expose().decode()
    assert f'loan_decisions_total{{label="{label}",version="7"}} 1.0' in text


def test_a_valid_traceparent_is_returned_after_the_model_and_an_invalid_one_is_not(client, application):
    answer = client.post("/api/v2/predict", json=application, headers={"traceparent": TRACE})
    assert list(answer.headers)[-2:] == [
        ("X-Model-Sha256", answer.headers["X-Model-Sha256"]),
        ("traceparent", TRACE),
    ]
    assert client.get("/nothing", headers={"traceparent": TRACE}).headers["traceparent"] == TRACE
    assert "traceparent" not in client.get("/", headers={"traceparent": TRACE.upper()}).headers


def test_what_a_caller_finds_its_request_by_is_returned_with_errors_too(client):
    sent = {"traceparent": TRACE, "tracestate": "a=1", "X-Request-ID": "lab-4711"}
    for path in ("/", "/nothing", "/docs"):
        assert sent.items() <= dict(client.get(path, headers=sent).headers).items()
    invalid = {"tracestate": "a=1", "X-Request-ID": "lab 4711"}
    assert not set(sent) & set(client.get("/", headers=invalid).headers.keys())


def test_a_crash_is_logged_by_class_and_counted(client, make_app, caplog, application, monkeypatch):
    def crash(_self: object, _document: object) -> None:
        raise ZeroDivisionError("85125")

    loaded = client.application.extensions["live_model"].current
    monkeypatch.setattr(type(loaded.scorer), "answer_row", crash)
    assert client.post("/api/v2/predict", json=application).status_code == 500
    (line,) = [JSONFormatter().format(record) for record in caplog.records if record.name == "serve.api.faults"]
    assert json.loads(line)["message"].startswith("ZeroDivisionError at ")
    assert "85125" not in caplog.text
    assert counts(client) == {("/api/v2/predict", "POST", "500"): 1}


@pytest.mark.parametrize("path", ["/api/v2/predict?Age=85125", "/85125", "/docs/85125\n{"])
def test_a_line_holds_the_route_and_neither_path_nor_query(shelf, make_app, caplog, path):
    caplog.set_level(logging.INFO, logger="serve.request")
    shelf.promote("loans")
    client = make_app(request_log=1.0).test_client()
    client.post(path, headers={"User-Agent": "85125", "traceparent": "85125"}, data="85125")
    (line,) = [JSONFormatter().format(record) for record in caplog.records]
    assert json.loads(line)["route"] in ("/api/v2/predict", "none", "/docs/<path:path>")
    assert "85125" not in line


OTHER_SPELLINGS = [
    *("//api/v2/predict", "/api//v2/predict", "/api/v2/predict/", "/api/v2/./predict", "/api/v2/x/../predict"),
    *("/api%2Fv2%2Fpredict", "/api/v2/pred%69ct", "/%61pi/v2/predict", "/api/v2/predict%00", "/api/v2/predict;x"),
    *("/API/v2/predict", "/api/v2/predict#x", "/api/v2/predict%3Fx=1", "/api/v2/predict%20", "/./api/v2/predict"),
    *("//localhost/api/v2/predict", "/api/v2%2fpredict", "/%2e/api/v2/predict", "/api/v2/predict%2F", "/v2/"),
]


@pytest.mark.parametrize("target", OTHER_SPELLINGS)
@pytest.mark.parametrize("before", ["", "http://x"])
def test_any_other_spelling_of_a_path_is_404(client, application, target, before):
    body = json.dumps(application).encode()
    headers = {b"host": b"x", b"content-type": b"application/json"}
    asked = wsgi.Request(b"POST", origin_form((before + target).encode()), headers, body, True, "1.1")
    status, _ = wsgi.call(client.application.wsgi_app, asked, ("127.0.0.1", 80))
    assert status.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("target", ["/api/v2/predict", "/api/v2/predict?x=%41//", "http://x/api/v2/predict"])
def test_the_one_spelling_of_a_path_is_served_with_any_query(client, application, target):
    body = json.dumps(application).encode()
    headers = {b"host": b"x", b"content-type": b"application/json"}
    asked = wsgi.Request(b"POST", origin_form(target.encode()), headers, body, True, "1.1")
    assert wsgi.call(client.application.wsgi_app, asked, ("127.0.0.1", 80))[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("a%20b%C3%A3", "unknown model"),
        ("a%20b%c3%a3", "Found"),
        ("%61%20b%C3%A3", "Found"),
        ("a-b_c.d~", "unknown model"),
    ],
)
def test_a_model_s_name_is_read_only_as_quote_writes_it(client, written, error):
    asked = wsgi.Request(b"GET", f"/v2/models/{written}".encode(), {b"host": b"x"}, b"", True, "1.1")
    status, rest = wsgi.call(client.application.wsgi_app, asked, ("127.0.0.1", 80))
    assert status.startswith(b"HTTP/1.1 404 ")
    assert (b"unknown model" in rest) is (error == "unknown model")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"content_type": "application/json;" + "a" * 184}, 415),
        ({"content_type": "application/json;a=" + "b" * 181}, 200),
        ({"headers": {"If-None-Match": '"a",' * 251}}, 400),
        ({"headers": {"If-None-Match": '"a",' * 250}}, 200),
        ({"query_string": "a" * 1001}, 400),
        ({"query_string": "a" * 1000}, 200),
    ],
)
def test_what_would_take_long_to_parse_is_refused_by_its_length(client, application, changes, status):
    sent = {"data": json.dumps(application), "content_type": "application/json"} | changes
    response = client.post("/api/v2/decision", **sent)
    assert response.status_code == status
    assert status == 200 or ("expected at most" in response.json["error"] and "aaa" not in response.text)
