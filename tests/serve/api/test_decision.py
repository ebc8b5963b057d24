import json
import math
import uuid

import numpy as np
import pytest

from serve.model.shapley import Explanation
from tests.serve.contract.test_cases import CASES

KEYS = [
    "prediction",
    "prediction_code",
    "prediction_text",
    "probability",
    "threshold",
    "band",
    "review_band",
    "reasons",
]
KEYS += ["counterfactuals", "model", "decision_id"]


@pytest.fixture
def strict_client(shelf, make_app):
    shelf.promote("loans_strict")
    return make_app().test_client()


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("loans", '{"prediction":"Approved","prediction_code":1}'),
        ("loans_strict", '{"prediction":"Não Aprovado","prediction_code":0}'),
    ],
)
def test_predict_is_the_published_answer(shelf, make_app, application, model, answer):
    shelf.promote(model)
    response = make_app().test_client().post("/api/v2/predict", json=application)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.data == answer.encode()


def test_all_faults_are_answered_at_once_by_field_with_the_expectation(client):
    response = client.post("/api/v2/predict", json={"Age": 17, "Loan_Amount": "much", "Shoe_Size": 44})
    assert response.status_code == 422
    assert set(response.json) == {"error", "fields"}
    fields = response.json["fields"]
    assert fields.pop("Shoe_Size").startswith("unknown field, expected Age, Annual_Income, ")
    assert fields == {
        "Age": "out of range, expected a whole number from 18 to 100 or null",
        "Loan_Amount": "not a number, expected a number from 500 to 1000000",
        "Loan_Duration_Years": "missing, expected a whole number from 1 to 30",
    }


@pytest.mark.parametrize("number", ["45", "45.0", "4.5e1", "450E-1", "45.00000000000000000001"])
def test_every_spelling_of_a_whole_number_is_accepted(client, number):
    body = f'{{"Age": {number}, "Loan_Amount": 25e3, "Loan_Duration_Years": 1E+1}}'
    assert client.post("/api/v2/predict", data=body, content_type="application/json").status_code == 200


def ask(client, application):
    return client.post("/api/v2/decision", json=application)


@pytest.mark.parametrize(
    ("model", "code", "label", "band", "review_band", "explained"),
    [
        ("loans", 1, "Approved", "approve", [0.55, 0.55], (False, False)),
        ("loans_bandless", 1, "Approved", "approve", [0.55, 0.55], (False, False)),
        ("loans_reviewed", 1, "Approved", "refer", [0.5, 0.75], (True, True)),
        ("loans_strict", 0, "Não Aprovado", "decline", [0.55, 0.55], (True, True)),
    ],
)
def test_a_decision_says_how_it_came_about(
    shelf, make_app, application, model, code, label, band, review_band, explained
):
    pointer = shelf.promote(model, version="7")
    response = ask(make_app().test_client(), application)
    bias = -1 if model == "loans_strict" else 1
    document = response.json
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert list(document) == KEYS
    assert document.pop("probability") == pytest.approx(1 / (1 + math.exp(-bias)), abs=1e-12)
    assert document.pop("decision_id") == response.headers["X-Decision-Id"]
    assert (len(document.pop("reasons")) > 0, len(document.pop("counterfactuals")) > 0) == explained
    assert document == {
        **{"prediction": label, "prediction_code": code, "threshold": 0.55, "band": band, "review_band": review_band},
        "model": {"name": pointer.name, "alias": "production", "version": "7", "sha256": pointer.sha256},
        "prediction_text": {"Approved": "Approved", "Não Aprovado": "Not approved"}[label],
    }


def test_the_label_is_in_the_callers_words_and_the_published_one_stays(strict_client, application):
    answers = [
        strict_client.post(f"/api/v2/decision{query}", json=application, headers={"Accept-Language": language}).json
        for query, language in (("", "pt-BR"), ("", "en"), ("?texts=all", "en"))
    ]
    assert {answer["prediction"] for answer in answers} == {"Não Aprovado"}
    texts = [answer["prediction_text"] for answer in answers]
    assert texts == ["Não aprovado", "Not approved", {"en": "Not approved", "pt": "Não aprovado"}]


def test_the_headers_are_those_of_a_prediction(client, application):
    decision, prediction = (client.post(f"/api/v2/{name}", json=application) for name in ("decision", "predict"))
    assert uuid.UUID(decision.headers["X-Decision-Id"]).version == 7
    for name in ("X-Model-Version", "X-Model-Sha256"):
        assert decision.headers[name] == prediction.headers[name]
    assert set(decision.headers.keys()) == {*prediction.headers.keys(), "Content-Language", "Vary"}


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


@pytest.mark.parametrize(
    ("model", "score", "effect"),
    [("loans", 840, "for"), ("loans_reviewed", 650, "against"), ("loans_strict", 650, "against")],
)
def test_reasons_speak_for_an_approval_and_otherwise_against_one(shelf, make_app, application, model, score, effect):
    shelf.promote(model)
    document = ask(make_app().test_client(), application | {"Credit_Score": score}).json
    assert {reason["effect"] for reason in document["reasons"]} == {effect}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("pt", "pt"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("en;q=0.2, pt;q=0.3", "pt"),
        ("pt;q=0.2, en;q=0.3", "en"),
        ("fr, pt;q=0.1", "pt"),
        ("fr", "en"),
        ("*", "en"),
        ("pt;q=0", "en"),
        (";;=,\x7f q", "en"),
    ],
)
def test_the_texts_are_in_the_preferred_language(strict_client, application, accepted, language):
    headers = {} if accepted is None else {"Accept-Language": accepted}
    response = strict_client.post("/api/v2/decision", json=application, headers=headers)
    texts = {"en": "Credit score: too low", "pt": "Pontuação de crédito: abaixo do necessário"}
    assert response.json["reasons"][0]["text"] == texts[language]
    assert {"en": "approved from", "pt": "aprovado a partir de"}[language] in response.json["counterfactuals"][0][
        "text"
    ]
    assert (response.headers["Content-Language"], response.headers["Vary"]) == (language, "Accept-Language")


def test_all_texts_come_together_when_asked_for(strict_client, application):
    response = strict_client.post("/api/v2/decision?texts=all", json=application)
    assert response.headers["Content-Language"] == "en, pt"
    for item in response.json["reasons"] + response.json["counterfactuals"]:
        assert set(item["text"]) == {"en", "pt"}


def test_the_values_come_on_request_only_and_add_up_to_the_probability(strict_client, application):
    assert "explanation" not in ask(strict_client, application).json
    assert "explanation" not in strict_client.post("/api/v2/decision?values=false", json=application).json
    document = strict_client.post("/api/v2/decision?values=true", json=application).json
    values, p = document["explanation"], document["probability"]
    assert list(values) == ["method", "base", "threshold", "contributions", "error", "middles"]
    assert values["base"] + sum(values["contributions"].values()) == pytest.approx(math.log(p / (1 - p)), abs=1e-9)
    assert values["threshold"] == pytest.approx(math.log(0.55 / 0.45))
    assert list(values["contributions"]) == list(application)
    assert values["error"] == 0
    assert values["middles"]["Credit_Score"] == 780  # a fifth above the example; the other background row has none
    weights = [values["contributions"][reason["feature"]] for reason in document["reasons"]]
    assert weights == sorted(weights)
    assert weights[0] == min(values["contributions"].values())


@pytest.mark.parametrize(
    "query", ["values=yes", "values=", "values=true&values=true", "texts=pt", "texts=all&texts=one"]
)
def test_an_unknown_or_ambiguous_query_is_refused_without_its_value(client, application, query):
    response = client.post(f"/api/v2/decision?{query}", json=application)
    name = query.partition("=")[0]
    expected = {"values": "true or false", "texts": "all or one"}[name]
    assert (response.status_code, response.json) == (400, {"error": f"query.{name}: expected {expected}, once"})


def test_a_decision_that_can_t_be_explained_is_not_answered(client, application, monkeypatch, caplog):
    loaded = client.application.extensions["live_model"].current
    broken = Explanation(0.0, np.full(7, np.nan), 0.0)
    monkeypatch.setattr(type(loaded.explainer), "explain", lambda self, X: broken)
    counted = []
    monkeypatch.setattr(client.application.extensions["observer"], "decided", lambda *of: counted.append(of))
    response = ask(client, application)
    assert (response.status_code, response.json) == (500, {"error": "internal error"})
    assert counted == []
    assert str(application["Annual_Income"]) not in caplog.text


def test_the_documented_answer_is_the_answer(client):
    document = client.get("/openapi.json").json
    operation = document["paths"]["/api/v2/decision"]["post"]
    response = ask(client, operation["requestBody"]["content"]["application/json"]["example"])
    answer = document["components"]["schemas"]["Decision"]
    assert list(response.json) == answer["required"]
    assert [name for name in answer["properties"] if name != "explanation"] == answer["required"]
    assert set(operation["responses"]["200"]["headers"]) <= set(response.headers.keys())
    assert response.json["band"] in answer["properties"]["band"]["enum"]
    assert set(operation["responses"]) == {"200", "400", "413", "415", "422", "503"}


@pytest.mark.parametrize(("length", "language"), [(500, "pt"), (501, "en"), (30_000, "en")])
def test_a_long_list_of_languages_is_not_read_and_gets_the_default(client, application, length, language):
    headers = {"Accept-Language": "pt;q=1," + ",".join(["x;q=0.5"] * 4000)[: length - 7]}
    assert len(headers["Accept-Language"]) == length
    response = client.post("/api/v2/decision", json=application, headers=headers)
    assert (response.status_code, response.headers["Content-Language"]) == (200, language)
