import json

import pytest

from tests.serve.api.test_tensors import MARK, NAMES, ROW

MODEL = "/v1/models/loan_approval_model"
OTHER = [18, 0, 300, 1_000_000, 1, 0, 1]
RECORD = dict(zip(NAMES, ROW, strict=True))


def predict(client, *instances, path: str = f"{MODEL}:predict", **rest):
    return client.post(path, json={"instances": list(instances)} | rest)


def test_the_model_is_listed_and_ready(client):
    assert client.get("/v1/models").json == {"models": ["loan_approval_model"]}
    assert client.get(MODEL).json == {"name": "loan_approval_model", "ready": True}


def test_instances_are_applications_by_name_or_in_contract_order(client):
    response = predict(client, RECORD, ROW, OTHER, [None, *ROW[1:]])
    assert (response.status_code, response.json) == (200, {"predictions": [1, 1, 0, 1]})
    assert response.headers["X-Decision-Id"]
    assert response.headers["X-Model-Version"] == "7"


@pytest.mark.parametrize("nothing", [None, {}, {"details": False}])
def test_parameters_that_wish_nothing_change_nothing(client, nothing):
    assert predict(client, ROW, parameters=nothing).json == {"predictions": [1]}


def test_details_and_reasons_are_those_of_a_decision(client):
    response = predict(client, RECORD, OTHER, parameters={"reasons": True})
    first, second = response.json["predictions"]
    assert list(first) == ["code", "label", "probability", "band", "decision_id", "reasons"]
    for document, record in ((first, RECORD), (second, dict(zip(NAMES, OTHER, strict=True)))):
        decision = client.post("/api/v2/decision", json=record).json
        assert document["reasons"] == [reason["code"] for reason in decision["reasons"]]
        assert (document["code"], document["label"]) == (decision["prediction_code"], decision["prediction"])
        assert (document["probability"], document["band"]) == (decision["probability"], decision["band"])
        assert document["decision_id"] == response.headers["X-Decision-Id"]
    (detailed,) = predict(client, RECORD, parameters={"details": True}).json["predictions"]
    assert list(detailed) == ["code", "label", "probability", "band", "decision_id"]


def test_explain_is_predict_with_reasons(client):
    explained = predict(client, RECORD, path=f"{MODEL}:explain").json["explanations"]
    expected = predict(client, RECORD, parameters={"reasons": True}).json["predictions"]
    assert [each | {"decision_id": ""} for each in explained] == [each | {"decision_id": ""} for each in expected]


@pytest.mark.parametrize("name", ["other", "loan_approval_model2"])
def test_another_model_is_not_found(client, name):
    for response in (
        client.get(f"/v1/models/{name}"),
        predict(client, ROW, path=f"/v1/models/{name}:predict"),
        predict(client, ROW, path=f"/v1/models/{name}:explain"),
    ):
        assert (response.status_code, response.json) == (404, {"error": "unknown model"})


def test_without_a_model_nothing_is_ready(empty_client):
    for response in (empty_client.get("/v1/models"), empty_client.get(MODEL), predict(empty_client, ROW)):
        assert response.status_code == 503


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([ROW], "instances: expected a list"),
        ({}, "instances: expected a list"),
        ({"instances": RECORD}, "instances: expected a list"),
        ({"instances": [ROW[1:]]}, "instances[0]: expected 7 values: Age, Annual_Income, "),
        ({"instances": [ROW], "parameters": [MARK]}, "parameters: expected an object or null"),
        ({"instances": [ROW], "parameters": {MARK: True}}, "parameters: unknown name, expected details or reasons"),
        ({"instances": [ROW], "parameters": {"reasons": MARK}}, "parameters.reasons: expected true or false"),
    ],
)
def test_a_malformed_request_is_400_by_path_and_never_the_value(client, body, message):
    response = client.post(f"{MODEL}:predict", json=body)
    assert (response.status_code, set(response.json)) == (400, {"error"})
    assert response.json["error"].startswith(message)
    assert MARK not in response.text


def test_what_breaks_the_contract_is_422_and_the_first_fault_stands_in_the_text(client):
    response = predict(client, ROW, [17, *ROW[1:]])
    assert response.status_code == 422
    assert response.json["error"].startswith("the application breaks the contract: 1.Age: ")


@pytest.mark.parametrize("kind", ["text/plain", "", None])
def test_another_content_type_is_415(client, kind):
    body = json.dumps({"instances": [ROW]})
    assert client.post(f"{MODEL}:predict", data=body, content_type=kind).status_code == 415


def test_the_paths_that_vertex_ai_names_are_served(shelf, make_app):
    app = make_app(vertex_health="/aip/alive", vertex_predict="/aip/decide")
    client = app.test_client()
    assert client.get("/aip/alive").status_code == predict(client, ROW, path="/aip/decide").status_code == 503
    shelf.promote("loans")
    app.extensions["live_model"].refresh()
    assert client.get("/aip/alive").json == {"status": "ready"}
    assert predict(client, ROW, OTHER, path="/aip/decide", parameters=None).json == {"predictions": [1, 0]}
    (detailed,) = predict(client, ROW, path="/aip/decide", parameters={"details": True}).json["predictions"]
    assert detailed["label"] == "Approved"
    assert client.get("/aip/decide").status_code == 405


@pytest.mark.parametrize("path", ["/aip/alive", "/aip/alive/"])
def test_a_path_of_vertex_ai_with_a_slash_at_its_end_is_served_without_a_redirect(shelf, make_app, path):
    shelf.promote("loans")
    client = make_app(vertex_health="/aip/alive/", vertex_predict="/aip/decide/").test_client()
    assert client.get(path).json == {"status": "ready"}
    assert predict(client, ROW, path=path.replace("alive", "decide"), parameters=None).json == {"predictions": [1]}


def test_a_path_of_vertex_ai_that_is_served_already_stays_as_it_is(shelf, make_app):
    shelf.promote("loans")
    client = make_app(vertex_health="/health/ready", vertex_predict="/invocations").test_client()
    assert client.get("/health/ready").json == {"status": "ready"}
    assert client.post("/invocations", json={"instances": [RECORD]}).json == {"predictions": [1]}


HEALTH = [
    "/health/ready",
    "/v2/health/ready",
    f"/v2/models/{MODEL[11:]}/ready",
    "/ping",
    "/health",
    MODEL,
    "/aip/alive",
]


@pytest.mark.parametrize("path", HEALTH)
def test_every_protocol_says_the_same_of_one_state(shelf, make_app, path):
    app = make_app(vertex_health="/aip/alive")
    client = app.test_client()
    statuses = [client.get(path).status_code]
    shelf.promote("loans")
    app.extensions["live_model"].refresh()
    statuses.append(client.get(path).status_code)
    app.extensions["stopping"].set()
    statuses.append(client.get(path).status_code)
    assert statuses == [503, 200, 503]
    assert client.get("/v2/health/live").status_code == client.get("/health/live").status_code == 200
