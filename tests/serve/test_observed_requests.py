import json
import logging

import pytest
from flask.testing import FlaskClient

from serve.log_format import JSONFormatter
from tests.exposition import read_series

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def counts(client: FlaskClient) -> dict[tuple[str, ...], float]:
    text = client.application.extensions["observer"].exposition().decode()
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


def test_what_callers_invent_makes_no_label(client):
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
    assert b"4987123" not in client.application.extensions["observer"].exposition()


def test_a_prediction_is_counted_as_a_decision(client, application):
    label = client.post("/api/v2/predict", json=application).json["prediction"]
    text = client.application.extensions["observer"].exposition().decode()
    assert f'loan_decisions_total{{label="{label}",version="7"}} 1.0' in text


def test_a_traceparent_is_handed_back_after_the_model_and_an_invalid_one_is_not(client, application):
    answer = client.post("/api/v2/predict", json=application, headers={"traceparent": TRACE})
    assert list(answer.headers)[-2:] == [
        ("X-Model-Sha256", answer.headers["X-Model-Sha256"]),
        ("traceparent", TRACE),
    ]
    assert client.get("/nothing", headers={"traceparent": TRACE}).headers["traceparent"] == TRACE
    assert "traceparent" not in client.get("/", headers={"traceparent": TRACE.upper()}).headers


def test_a_crash_is_logged_by_class_and_counted(client, make_app, caplog, application, monkeypatch):
    def crash(_self: object, _document: object) -> None:
        raise ZeroDivisionError("85125")

    loaded = client.application.extensions["live_model"].current
    monkeypatch.setattr(type(loaded.scorer), "answer_row", crash)
    assert client.post("/api/v2/predict", json=application).status_code == 500
    (line,) = [JSONFormatter().format(record) for record in caplog.records if record.name == "serve.app"]
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
