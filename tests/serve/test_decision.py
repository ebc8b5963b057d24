import json
import math
import uuid

import numpy as np
import pytest

from serve.decision import name_band
from tests.serve.test_cases import CASES

KEYS = ["prediction", "prediction_code", "probability", "threshold", "band", "review_band", "reasons"]
KEYS += ["model", "decision_id"]


def ask(client, application):
    return client.post("/api/v2/decision", json=application)


@pytest.mark.parametrize(
    ("model", "code", "label", "band", "review_band"),
    [
        ("loans", 1, "Approved", "approve", [0.55, 0.55]),
        ("loans_bandless", 1, "Approved", "approve", [0.55, 0.55]),
        ("loans_reviewed", 1, "Approved", "refer", [0.5, 0.75]),
        ("loans_strict", 0, "Não Aprovado", "decline", [0.55, 0.55]),
    ],
)
def test_a_decision_says_how_it_came_about(shelf, make_app, application, model, code, label, band, review_band):
    pointer = shelf.promote(model, version="7")
    response = ask(make_app().test_client(), application)
    bias = -1 if model == "loans_strict" else 1
    document = response.json
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert list(document) == KEYS
    assert document.pop("probability") == pytest.approx(1 / (1 + math.exp(-bias)), abs=1e-12)
    assert document.pop("decision_id") == response.headers["X-Decision-Id"]
    assert document == {
        **{"prediction": label, "prediction_code": code, "threshold": 0.55, "band": band, "review_band": review_band},
        "reasons": [],
        "model": {"name": pointer.name, "alias": "production", "version": "7", "sha256": pointer.sha256},
    }


def test_the_headers_are_those_of_a_prediction(client, application):
    decision, prediction = (client.post(f"/api/v2/{name}", json=application) for name in ("decision", "predict"))
    assert uuid.UUID(decision.headers["X-Decision-Id"]).version == 7
    for name in ("X-Model-Version", "X-Model-Sha256"):
        assert decision.headers[name] == prediction.headers[name]
    assert set(decision.headers.keys()) == set(prediction.headers.keys())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_decision_and_a_prediction_judge_the_case_alike(client, case):
    body = json.dumps(case["application"])
    decision, prediction = (
        client.post(f"/api/v2/{name}", data=body, content_type="application/json") for name in ("decision", "predict")
    )
    assert decision.status_code == prediction.status_code
    assert set(decision.json.get("fields", {})) == set(case["fields"])
    answer = decision.json
    assert {key: answer[key] for key in prediction.json} == prediction.json


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ('{"Age":1,"Age":1}', "application/json", 400),
        (" " * 70_000, "application/json", 413),
        ("{}", "text/plain", 415),
        ("[]", "application/json", 422),
    ],
)
def test_a_body_is_refused_in_the_words_of_a_prediction(client, body, kind, status):
    decision, prediction = (
        client.post(f"/api/v2/{name}", data=body, content_type=kind) for name in ("decision", "predict")
    )
    assert (decision.status_code, decision.data) == (status, prediction.data)


def test_without_a_model_there_is_no_decision(empty_client, application):
    response = ask(empty_client, application)
    assert (response.status_code, set(response.json)) == (503, {"error"})


@pytest.mark.parametrize("at", [0.5, 0.75])
def test_a_band_holds_its_lower_end_and_not_its_upper_one(at):
    expected = {0.5: ["decline", "refer", "refer"], 0.75: ["refer", "approve", "approve"]}[at]
    assert [name_band(float(p), 0.5, 0.75) for p in (np.nextafter(at, 0), at, np.nextafter(at, 1))] == expected


def test_an_empty_band_refers_nothing():
    at = 0.55
    bands = [name_band(float(p), at, at) for p in (0, np.nextafter(at, 0), at, np.nextafter(at, 1), 1)]
    assert bands == ["decline", "decline", "approve", "approve", "approve"]


def test_the_documented_answer_is_the_answer(client):
    document = client.get("/openapi.json").json
    operation = document["paths"]["/api/v2/decision"]["post"]
    response = ask(client, operation["requestBody"]["content"]["application/json"]["example"])
    answer = document["components"]["schemas"]["Decision"]
    assert list(response.json) == answer["required"] == list(answer["properties"])
    assert set(operation["responses"]["200"]["headers"]) <= set(response.headers.keys())
    assert response.json["band"] in answer["properties"]["band"]["enum"]
    assert set(operation["responses"]) == {"200", "400", "413", "415", "422", "503"}
