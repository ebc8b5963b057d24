import hashlib
import re
from base64 import b64encode
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serve.errors import SettingsError
from tests.exposition import read_series

KEY = "lab-key-4711"
FREE = ["/", "/ping", "/health/live", "/health/ready"]


@pytest.fixture
def keys_file(tmp_path) -> Path:
    path = tmp_path / "keys.txt"
    path.write_text(f"lab:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    return path


@pytest.fixture
def keyed(shelf, make_app, keys_file) -> FlaskClient:
    """A client of a server that asks for keys; it sends none by itself."""
    shelf.promote("loans", version="7")
    return make_app(api_keys_file=keys_file).test_client()


def test_every_route_but_the_free_ones_asks_for_a_key(keyed):
    for rule in keyed.application.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in rule.methods - {"OPTIONS"}:
            status = keyed.open(path, method=method).status_code
            assert (status == 401) is (path not in FREE), (method, path, status)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("GET", "/health"), ("GET", "/health/../api/v2/model"), ("GET", "//"), ("BREW", "/"),
     ("GET", "/api/v2/predict"), ("OPTIONS", "/api/v2/predict"), ("GET", "/%2e/api/v2/model"), ("GET", "/ping/")],
)  # fmt: skip
def test_what_is_no_free_route_asks_for_a_key_before_it_says_what_it_is(keyed, method, path):
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


def test_a_refused_body_is_not_looked_at(keyed):
    assert keyed.post("/api/v2/predict", data=b"{", content_type="application/json").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"X-API-Key": KEY},
        {"Authorization": "Basic " + b64encode(f"me:{KEY}".encode()).decode()},
    ],
)
def test_a_valid_key_opens_every_route(keyed, application, headers):
    assert keyed.post("/api/v2/predict", json=application, headers=headers).status_code == 200
    for path in ("/api/v2/model", "/openapi.json", "/docs/", *FREE[2:]):
        with keyed.get(path, headers=headers) as answer:
            assert answer.status_code == 200
    assert keyed.get("/nothing", headers=headers).status_code == 404


def test_uses_are_counted_by_name_and_refusals_by_status(keyed):
    keyed.get("/api/v2/model", headers={"X-API-Key": KEY})
    keyed.get("/api/v2/model", headers={"X-API-Key": "wrong"})
    text = keyed.application.extensions["observer"].exposition().decode()
    assert read_series(text, "loan_key_uses_total", "key") == {("lab",): 1}
    counted = read_series(text, "loan_request_seconds_count", "route", "method", "status")
    assert counted == {("/api/v2/model", "GET", status): 1 for status in ("200", "401")}
    assert KEY not in text


def test_without_a_file_no_key_is_asked_for(client, application):
    assert client.post("/api/v2/predict", json=application).status_code == 200


def test_an_unusable_file_stops_the_start(make_app, tmp_path):
    (tmp_path / "keys.txt").write_text("lab\n")
    with pytest.raises(SettingsError, match=r"keys.txt line 1: expected name:sha256"):
        make_app(api_keys_file=tmp_path / "keys.txt")
