import uuid

import pytest

from serve.records.decided import Decided

NO_MODEL = (
    '{"error":"Modelo não está disponível. Verifique os logs e se um modelo possui o alias \'production\'."}'.encode()
)


def test_predict_names_the_decision_and_the_model_in_headers(client, shelf, application):
    headers = client.post("/api/v2/predict", json=application).headers
    decision = uuid.UUID(headers["X-Decision-Id"])
    assert (decision.version, decision.variant, str(decision)) == (7, uuid.RFC_4122, headers["X-Decision-Id"])
    assert headers["X-Model-Version"] == "7"
    assert headers["X-Model-Sha256"] == shelf.store.pointer().sha256


def test_each_decision_has_its_own_id(client, application):
    ids = [client.post("/api/v2/predict", json=application).headers["X-Decision-Id"] for _ in range(20)]
    assert len(set(ids)) == 20


@pytest.mark.parametrize("send", [{}, {"json": {}}, {"data": "{", "content_type": "application/json"}])
def test_predict_without_a_model_is_503_with_the_published_message(empty_client, send):
    response = empty_client.post("/api/v2/predict", **send)
    assert (response.status_code, response.data) == (503, NO_MODEL)


def test_the_message_without_a_model_names_the_alias_in_the_settings(make_app):
    response = make_app(model_alias="challenger").test_client().get("/api/v2/model")
    assert response.status_code == 503
    assert "'challenger'" in response.json["error"]


def test_a_swapped_model_answers_the_next_request(client, shelf, application):
    shelf.promote("loans_strict", version="8")
    client.application.extensions["live_model"].refresh()
    response = client.post("/api/v2/predict", json=application)
    assert (response.json["prediction_code"], response.headers["X-Model-Version"]) == (0, "8")


def test_without_a_log_no_caller_s_key_waits_for_the_shadow(shelf, make_app, application, monkeypatch):
    shelf.promote("loans")
    app = make_app(shadow_alias="challenger")
    waiting: list[Decided] = []
    monkeypatch.setattr(app.extensions["shadow"], "put", waiting.append)
    for path in ("/api/v2/predict", "/api/v2/decision"):
        app.test_client().post(path, json=application, headers={"X-Applicant-Key": "k" * 200})
    app.test_client().post("/api/v2/predict/batch", json=[application], headers={"X-Applicant-Key": "k" * 200})
    app.extensions["shadow"].close()  # or its thread would outlive this test
    assert [decided.applicant for decided in waiting] == [None] * 3
