import json
import logging
import uuid

import numpy as np
import pytest

from serve.model.scorer import Scorer
from tests.serve.api.test_tensors import INFER, MARK, NAMES, ROW, columns, infer, matrix, tensor

MODEL = "/v2/models/loan_approval_model"
OUTPUTS = [("probability", "FP64"), ("prediction_code", "INT64"), ("prediction", "BYTES"), ("band", "BYTES")]

INPUTS = [
    {"name": name, "datatype": datatype, "parameters": {"min": low, "max": high, "missing": missing} | unit}
    for name, datatype, low, high, missing, unit in [
        ("Age", "FP64", 18, 100, True, {"unit": "years"}),
        ("Annual_Income", "FP64", 0, 5_000_000, True, {"unit": "currency a year"}),
        ("Credit_Score", "FP64", 300, 850, True, {"unit": "points"}),
        ("Loan_Amount", "FP64", 500, 1_000_000, False, {"unit": "currency"}),
        ("Loan_Duration_Years", "INT64", 1, 30, False, {"unit": "years"}),
        ("Number_of_Open_Accounts", "FP64", 0, 50, True, {"unit": "accounts"}),
        ("Had_Past_Default", "FP64", 0, 1, True, {"unit": "0 = no, 1 = yes"}),
    ]
]


def test_the_server_says_its_name_version_and_extensions(client):
    assert client.get("/v2").json == {"name": "loan-approval", "version": "2", "extensions": ["binary_tensor_data"]}


def test_with_a_model_the_server_is_live_and_ready(client):
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"live": True, "ready": True}
    assert client.get("/v2/models").json == {"models": ["loan_approval_model"]}


def test_the_public_name_is_as_good_as_the_registry_s(shelf, make_app):
    shelf.promote("loans", version="7")
    client = make_app(public_name="loans.bank.example").test_client()
    assert client.get("/v2/models").json == client.get("/v1/models").json == {"models": ["loans.bank.example"]}
    for name in ("loans.bank.example", "loan_approval_model"):
        assert client.get(f"/v2/models/{name}").json["name"] == name
        assert client.get(f"/v2/models/{name}/ready").json == {"name": name, "ready": True}
        assert infer(client, matrix(ROW), path=f"/v2/models/{name}/infer").json["model_name"] == name
    assert client.get("/v2/models/other").status_code == 404


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/7"])
def test_the_model_says_what_it_takes_and_gives(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.json == {
        "name": "loan_approval_model",
        "versions": ["7"],
        "platform": "onnx_onnxv1",
        "inputs": [{"shape": [-1, 1], **each} for each in INPUTS],
        "outputs": [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in OUTPUTS],
        "parameters": {"X": "FP64 [-1, 7] in place of all inputs, names and dates as numbers"},
    }
    ready = client.get(f"{path}/ready")
    assert (ready.status_code, ready.json) == (200, {"name": "loan_approval_model", "ready": True})


def test_without_a_model_the_server_is_live_and_nothing_is_ready(empty_client):
    assert empty_client.get("/v2").status_code == 200
    assert empty_client.get("/v2/health/live").status_code == 200
    for path in ("/v2/health/ready", MODEL, f"{MODEL}/ready", f"{MODEL}/versions/7/ready"):
        response = empty_client.get(path)
        assert (response.status_code, set(response.json)) == (503, {"error"})
    assert infer(empty_client, matrix(ROW)).status_code == 503


@pytest.mark.parametrize("path", ["/v2/models/other", f"{MODEL}/versions/8", "/v2/models/other/versions/7"])
def test_another_model_or_version_is_not_found(client, path):
    answers = [client.get(path), client.get(f"{path}/ready"), infer(client, matrix(ROW), path=f"{path}/infer")]
    for response in answers:
        assert (response.status_code, set(response.json)) == (404, {"error"})
        assert response.json["error"].startswith("unknown ")


def test_an_answer_has_every_output_and_names_decision_and_model(client, shelf, model_file):
    scorer = Scorer(model_file("loans"))
    response = infer(client, matrix(ROW, [18, 0, 300, 1_000_000, 1, 0, 1]))
    p = scorer.score(np.array([ROW, [18, 0, 300, 1_000_000, 1, 0, 1]], np.float64))
    assert response.status_code == 200
    assert response.json == {
        "model_name": "loan_approval_model",
        "model_version": "7",
        "outputs": [
            {"name": "probability", "datatype": "FP64", "shape": [2], "data": p.tolist()},
            {"name": "prediction_code", "datatype": "INT64", "shape": [2], "data": [1, 0]},
            {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["Approved", "Não Aprovado"]},
            {"name": "band", "datatype": "BYTES", "shape": [2], "data": ["approve", "decline"]},
        ],
    }
    assert uuid.UUID(response.headers["X-Decision-Id"]).version == 7
    assert response.headers["X-Model-Version"] == "7"
    assert response.headers["X-Model-Sha256"] == shelf.store.pointer().sha256


def test_the_code_is_decided_at_the_served_threshold(client):
    outputs = infer(client, matrix([*ROW[:2], 590, *ROW[3:]])).json["outputs"]
    assert 0.5 < outputs[0]["data"][0] < 0.55  # the threshold of this file
    assert outputs[1]["data"] == [0]


def test_a_version_in_the_path_is_answered(client):
    assert infer(client, matrix(ROW), path=f"{MODEL}/versions/7/infer").json["model_version"] == "7"


@pytest.mark.parametrize("wanted", [["prediction"], ["prediction_code", "probability"], []])
def test_the_outputs_asked_for_are_answered_in_their_order(client, wanted):
    outputs = infer(client, matrix(ROW), outputs=[{"name": name} for name in wanted]).json["outputs"]
    assert [output["name"] for output in outputs] == (wanted or [name for name, _ in OUTPUTS])


@pytest.mark.parametrize("name", ["42", "", "é"])
def test_the_id_is_echoed(client, name):
    assert infer(client, matrix(ROW), id=name).json["id"] == name


def test_null_is_as_good_as_absent_where_a_key_is_optional(client):
    nothing = {"id": None, "parameters": None, "outputs": None}
    response = infer(client, matrix(ROW) | {"parameters": None}, **nothing)
    assert response.status_code == 200
    assert "id" not in response.json


def test_parameters_and_keys_of_a_client_s_own_have_no_effect(client):
    inputs = matrix(ROW) | {"parameters": {"content_type": "np"}, "more": 1}
    outputs = [{"name": "prediction_code", "parameters": {"own": True}}]
    extra = {"parameters": {"priority": 1}, "model_name": "x"}
    assert infer(client, inputs, outputs=outputs, **extra).json["outputs"][0]["data"] == [1]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        *[("application/json", 200), ("application/json; charset=utf-8", 200), ("application/octet-stream", 200)],
        *[(None, 415), ("", 415)],
        *[("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data; boundary=x", 415)],
    ],
)
@pytest.mark.parametrize("sign", [{"Origin": "https://elsewhere.example"}, {"Authorization": "Basic dTpw"}])
def test_a_request_that_a_page_of_another_origin_could_send_is_415(client, kind, status, sign):
    body = json.dumps({"inputs": [matrix(ROW)]})
    assert client.post(INFER, data=body, content_type=kind, headers=sign).status_code == status


def test_a_client_that_is_no_page_need_not_name_the_content_type(client):
    assert client.post(INFER, data=json.dumps({"inputs": [matrix(ROW)]}), content_type=None).status_code == 200


def test_decision_id_and_reasons_are_in_the_answer_on_request(client):
    plain = infer(client, matrix(ROW)).json
    assert "parameters" not in plain
    detailed = infer(client, matrix(ROW), parameters={"details": True})
    assert detailed.json["parameters"] == {"decision_id": detailed.headers["X-Decision-Id"]}
    explained = infer(client, matrix(ROW), parameters={"reasons": True}).json
    *outputs, reasons = explained["outputs"]
    assert outputs == plain["outputs"]
    batch = client.post("/api/v2/predict/batch?reasons=true", json=[dict(zip(NAMES, ROW, strict=True))]).json
    assert reasons == {"name": "reasons", "datatype": "BYTES", "shape": [1], "data": [" ".join(batch[0]["reasons"])]}


@pytest.mark.parametrize("parameters", [None, {"reasons": False}, {"reasons": True}])
def test_reasons_are_an_output_that_may_be_asked_for_by_name(client, parameters):
    explained = infer(client, matrix(ROW), parameters={"reasons": True}).json["outputs"][-1]
    wanted = [{"name": "reasons"}, {"name": "band"}]
    response = infer(client, matrix(ROW), outputs=wanted, parameters=parameters).json
    assert response["outputs"] == [explained, {"name": "band", "datatype": "BYTES", "shape": [1], "data": ["approve"]}]


@pytest.mark.parametrize(("name", "value"), [("details", "true"), ("reasons", 1), ("reasons", None)])
def test_a_known_parameter_that_is_no_boolean_is_400(client, name, value):
    response = infer(client, matrix(ROW), parameters={name: value})
    assert (response.status_code, response.json["error"]) == (400, f"parameters.{name}: expected true or false")


def test_the_first_fault_stands_in_the_one_text_that_clients_print(client):
    response = infer(client, matrix([17, *ROW[1:]]))
    assert response.status_code == 422
    assert response.json["error"].startswith("the application breaks the contract: 0.Age: ")
    assert set(response.json["fields"]) == {"0.Age"}


X = matrix(ROW)
SECRET = float(MARK)
MALFORMED = [
    ([X], "the body: expected an object"),
    ({}, "inputs: expected a list"),
    ({"inputs": []}, "inputs: expected a list of at least one"),
    ({"inputs": {"X": [SECRET]}}, "inputs: expected a list"),
    ({"inputs": [[SECRET]]}, "inputs[0]: expected an object"),
    ({"inputs": [X], "id": SECRET}, "id: expected text"),
    ({"inputs": [X], "parameters": [SECRET]}, "parameters: expected an object"),
    ({"inputs": [X], "outputs": {"name": "prediction"}}, "outputs: expected a list"),
    ({"inputs": [X], "outputs": ["prediction"]}, "outputs[0]: expected an object"),
    ({"inputs": [X], "outputs": [{"name": MARK}]}, "outputs[0].name: unknown, expected probability, prediction_code, "),
    ({"inputs": [X], "outputs": [{"name": ["prediction"]}]}, "outputs[0].name: unknown"),
    ({"inputs": [X], "outputs": [{"name": "prediction"}] * 2}, "outputs[1].name: stands twice"),
    (
        {"inputs": [X], "outputs": [{"name": "prediction", "parameters": {"classification": 2}}]},
        "outputs[0].parameters.classification: the classification extension is not supported",
    ),
]


@pytest.mark.parametrize(("body", "message"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_request_is_400_by_path_and_what_was_expected_never_the_value(client, caplog, body, message):
    caplog.set_level(logging.DEBUG)
    response = client.post(INFER, json=body)
    assert (response.status_code, set(response.json)) == (400, {"error"})
    assert response.json["error"].startswith(message)
    assert MARK not in response.text + caplog.text


@pytest.mark.parametrize("body", ["", "{", '{"inputs": Infinity}', '{"inputs": [], "inputs": []}', "[" * 5000])
def test_what_is_not_strict_json_is_400(client, body):
    response = client.post(INFER, data=body, content_type="application/json")
    assert (response.status_code, set(response.json)) == (400, {"error"})


def test_another_content_type_is_415(client):
    assert client.post(INFER, data=json.dumps({"inputs": [X]}), content_type="text/plain").status_code == 415


def test_many_rows_are_decided_up_to_the_limits(shelf, make_app):
    shelf.promote("loans")
    client = make_app(max_batch_rows=3, max_batch_bytes=4000, max_body_bytes=10).test_client()
    assert len(infer(client, matrix(ROW, ROW, ROW)).json["outputs"][0]["data"]) == 3
    too_many = infer(client, matrix(ROW, ROW, ROW, ROW))
    assert (too_many.status_code, set(too_many.json)) == (413, {"error"})
    too_large = infer(client, matrix(ROW), id="x" * 4000)
    assert (too_large.status_code, set(too_large.json)) == (413, {"error"})


def test_too_many_items_are_refused_before_they_are_parsed(shelf, make_app):
    shelf.promote("loans")
    client = make_app(max_batch_rows=3).test_client()
    not_even_json = b"[" + b"[]," * 5000
    for path in (INFER, "/invocations"):
        assert client.post(path, data=not_even_json, content_type="application/json").status_code == 413
    few = not_even_json[:300]
    assert client.post(INFER, data=few, content_type="application/json").status_code == 400
    spaces = few + b" " * 10_000
    assert client.post(INFER, data=spaces, content_type="application/json").status_code == 400


def test_the_most_rows_are_within_the_limit_of_items_however_they_are_nested(shelf, make_app):
    shelf.promote("loans")
    client = make_app(max_batch_rows=5000).test_client()
    rows = [ROW] * 5000
    upright = [column | {"shape": [5000, 1], "data": [[v] for v in column["data"]]} for column in columns(*rows)]
    for inputs in ([tensor("X", [5000, 7], rows)], upright):
        assert len(infer(client, *inputs).json["outputs"][0]["data"]) == 5000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", INFER, 405), ("POST", MODEL, 405), ("POST", "/v2", 405), ("GET", "/v2/repository/index", 404)],
)
def test_an_unknown_address_or_method_has_the_one_shape(client, method, path, status):
    response = client.open(path, method=method)
    assert (response.status_code, set(response.json)) == (status, {"error"})
