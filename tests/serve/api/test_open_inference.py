import json
import logging
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serve.api.tensors import encode_tensors, read_tensors
from serve.model.scorer import Scorer

MARK = "7130425.5"  # a value no message and no log line has by chance
MODEL = "/v2/models/loan_approval_model"
INFER = f"{MODEL}/infer"
ROW = [45, 85000, 650, 25000, 10, 5, 0]
NAMES = [
    *("Age", "Annual_Income", "Credit_Score", "Loan_Amount", "Loan_Duration_Years"),
    *("Number_of_Open_Accounts", "Had_Past_Default"),
]
OUTPUTS = [("probability", "FP64"), ("prediction_code", "INT64"), ("prediction", "BYTES")]


def tensor(name: str, shape: list[int], data: list, datatype: str = "FP64", **rest: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data} | rest


def matrix(*rows: list) -> dict[str, Any]:
    return tensor("X", [len(rows), len(rows[0])], [value for row in rows for value in row])


def columns(*rows: list) -> list[dict[str, Any]]:
    return [
        tensor(name, [len(rows)], list(column)) for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)
    ]


def infer(client, *inputs: dict[str, Any], path: str = INFER, **rest: Any):
    return client.post(path, json={"inputs": list(inputs)} | rest)


@pytest.fixture
def mixed_client(shelf, make_app):
    """A client of a server whose model has a category and a monitored feature."""
    shelf.promote("mixed")
    return make_app().test_client()


def test_the_server_says_its_name_version_and_that_it_has_no_extensions(client):
    assert client.get("/v2").json == {"name": "loan-approval", "version": "2", "extensions": []}
    assert client.get("/v2/").json == client.get("/v2").json


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_with_a_model_the_server_is_live_and_ready(client, path):
    response = client.get(path)
    assert (response.status_code, response.json) == (200, {"live": True})


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/7"])
def test_the_model_says_what_it_takes_and_gives(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.json == {
        "name": "loan_approval_model",
        "versions": ["7"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "X", "datatype": "FP64", "shape": [-1, 7]}],
        "outputs": [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in OUTPUTS],
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
    outputs = [{"name": "prediction_code", "parameters": {"binary_data": True}}]
    extra = {"parameters": {"binary_data_output": True, "priority": 1}, "model_name": "x"}
    assert infer(client, inputs, outputs=outputs, **extra).json["outputs"][0]["data"] == [1]


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", None])
def test_the_content_type_is_json_or_none(client, kind):
    body = json.dumps({"inputs": [matrix(ROW)]})
    assert client.post(INFER, data=body, content_type=kind).status_code == 200


def test_a_tensor_a_feature_says_the_same_as_the_matrix(client):
    rows = [ROW, [18, 0, 300, 1_000_000, 1, 0, 1], [None, None, None, 500.5, 30, None, None]]
    nested = tensor("X", [3, 7], rows)
    upright = [column | {"shape": [3, 1], "data": [[v] for v in column["data"]]} for column in reversed(columns(*rows))]
    flat_upright = [column | {"shape": [3, 1]} for column in columns(*rows)]
    expected = infer(client, matrix(*rows)).json
    assert len(expected["outputs"][0]["data"]) == 3
    for inputs in ([nested], columns(*rows), upright, flat_upright):
        assert infer(client, *inputs).json == expected


@pytest.mark.parametrize("missing", ["null", "NaN"])
def test_null_nan_and_an_absent_tensor_mean_missing(client, missing):
    expected = infer(client, *columns(ROW)[1:]).json
    assert expected["outputs"]
    body = json.dumps({"inputs": [matrix([None, *ROW[1:]])]}).replace("null", missing)
    assert client.post(INFER, data=body, content_type="application/json").json == expected


def test_missing_where_a_value_must_be_given_breaks_the_contract(client):
    expected = "expected a number from 500 to 1000000"
    absent = infer(client, *[column for column in columns(ROW, ROW) if column["name"] != "Loan_Amount"])
    assert (absent.status_code, absent.json["fields"]) == (
        422,
        {"Loan_Amount": f"missing column, {expected} in each row"},
    )
    null = infer(client, matrix(ROW, [*ROW[:3], None, *ROW[4:]]))
    assert (null.status_code, null.json["fields"]) == (422, {"1.Loan_Amount": f"missing, {expected}"})


def test_all_values_that_break_the_contract_are_named_by_row_and_feature(client):
    response = infer(client, matrix(ROW, [17, *ROW[1:5], 5.5, True], ["x", *ROW[1:]]))
    assert response.status_code == 422
    assert set(response.json) == {"error", "fields"}
    assert response.json["fields"] == {
        "1.Age": "out of range, expected a whole number from 18 to 100 or null",
        "1.Number_of_Open_Accounts": "not a whole number, expected a whole number from 0 to 50 or null",
        "1.Had_Past_Default": "not a number, expected a whole number from 0 to 1 or null",
        "2.Age": "not a number, expected a whole number from 18 to 100 or null",
    }


@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
def test_a_number_is_the_float64_of_its_digits_whatever_the_datatype(client, datatype):
    just_above = [*ROW[:3], 1000000.0000000001, *ROW[4:]]  # its float32 would be within the range
    assert infer(client, matrix(just_above) | {"datatype": datatype}).status_code == 422
    of_feature = [column | {"datatype": datatype} for column in columns(just_above)]
    assert infer(client, *of_feature).status_code == 422


@pytest.mark.parametrize("datatype", [f"{sign}INT{bits}" for sign in ("", "U") for bits in (32, 64)])
def test_whole_number_tensors_are_taken_for_features(client, datatype):
    inputs = [column | {"datatype": datatype} for column in columns(ROW)]
    assert infer(client, *inputs).json == infer(client, matrix(ROW)).json


def test_a_category_is_its_index_in_the_matrix_and_its_name_in_a_tensor(mixed_client):
    path = "/v2/models/mixed_model/infer"
    of_matrix = infer(mixed_client, matrix([10, 0], [10, 1.0], [10, None]), path=path)
    amount, home = tensor("amount", [3], [10] * 3), tensor("home", [3], ["own", "rent", None], "BYTES")
    of_features = infer(mixed_client, amount, home, path=path)
    assert of_matrix.json == of_features.json
    probabilities = of_matrix.json["outputs"][0]["data"]
    assert probabilities[0] == probabilities[2] > probabilities[1]


@pytest.mark.parametrize("index", [-1, 2, 0.5, "own", False])
def test_an_index_that_names_no_category_breaks_the_contract(mixed_client, index):
    response = infer(mixed_client, matrix([10, index]), path="/v2/models/mixed_model/infer")
    assert response.status_code == 422
    assert response.json["fields"]["0.home"].endswith(", expected a whole number from 0 to 1 or null")


@pytest.mark.parametrize("name", ["castle", 0, "OWN"])
def test_a_name_that_is_no_category_breaks_the_contract(mixed_client, name):
    inputs = tensor("amount", [1], [10]), tensor("home", [1], [name], "BYTES")
    response = infer(mixed_client, *inputs, path="/v2/models/mixed_model/infer")
    assert response.status_code == 422
    assert response.json["fields"]["0.home"].endswith("expected one of own, rent or null")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([tensor("home", [1], [1], "INT64")], "inputs[0].datatype: expected BYTES"),
        ([tensor("amount", [1], ["1"], "BYTES")], "inputs[0].datatype: expected FP64 or FP32 or INT8 or "),
        ([tensor("region", [1], ["north"], "BYTES")], "inputs[0].name: unknown, expected X or amount, home"),
    ],
)
def test_a_tensor_of_the_wrong_kind_or_a_monitored_one_is_malformed(mixed_client, inputs, message):
    response = infer(mixed_client, *inputs, path="/v2/models/mixed_model/infer")
    assert response.status_code == 400
    assert response.json["error"].startswith(message)


X, AGE, INCOME = matrix(ROW), columns(ROW)[0], columns(ROW)[1]
SECRET = float(MARK)
MALFORMED = [
    ([X], "the body: expected an object"),
    ({}, "inputs: expected a list"),
    ({"inputs": []}, "inputs: expected a list of at least one"),
    ({"inputs": {"X": [SECRET]}}, "inputs: expected a list"),
    ({"inputs": [[SECRET]]}, "inputs[0]: expected an object"),
    ({"inputs": [X], "id": SECRET}, "id: expected text"),
    ({"inputs": [X], "parameters": [SECRET]}, "parameters: expected an object"),
    ({"inputs": [X | {"parameters": SECRET}]}, "inputs[0].parameters: expected an object"),
    ({"inputs": [X | {"parameters": {"binary_data_size": 56}}]}, "inputs[0].parameters.binary_data_size: the binary"),
    ({"inputs": [X | {"parameters": {"shared_memory_region": MARK}}]}, "inputs[0].parameters.shared_memory_region: "),
    ({"inputs": [X | {"name": SECRET}]}, "inputs[0].name: expected text"),
    ({"inputs": [X | {"name": MARK}]}, "inputs[0].name: unknown, expected X or Age, Annual_Income, "),
    ({"inputs": [X | {"name": "x"}]}, "inputs[0].name: unknown, expected X or Age, Annual_Income, "),
    ({"inputs": [X | {"datatype": None}]}, "inputs[0].datatype: expected text"),
    ({"inputs": [X | {"datatype": MARK}]}, "inputs[0].datatype: expected FP64 or FP32"),
    ({"inputs": [X | {"datatype": "INT64"}]}, "inputs[0].datatype: expected FP64 or FP32"),
    ({"inputs": [X | {"shape": MARK}]}, "inputs[0].shape: expected a list"),
    ({"inputs": [X | {"shape": []}]}, "inputs[0].shape: expected a list of one or two"),
    ({"inputs": [X | {"shape": [1, 7, 1]}]}, "inputs[0].shape: expected a list of one or two"),
    ({"inputs": [X | {"shape": [1.0, 7]}]}, "inputs[0].shape: expected whole numbers"),
    ({"inputs": [X | {"shape": [True, 7]}]}, "inputs[0].shape: expected whole numbers"),
    ({"inputs": [X | {"shape": [-1, 7]}]}, "inputs[0].shape: expected whole numbers"),
    ({"inputs": [X | {"shape": [2**64, 7]}]}, "inputs[0].shape: expected whole numbers"),
    ({"inputs": [X | {"shape": [7]}]}, "inputs[0].shape: expected [N, 7]: Age, Annual_Income, "),
    ({"inputs": [X | {"shape": [7, 1]}]}, "inputs[0].shape: expected [N, 7]"),
    ({"inputs": [X | {"shape": [0, 7], "data": []}]}, "inputs[0].shape: expected at least one row"),
    ({"inputs": [X | {"data": None}]}, "inputs[0].data: expected a list"),
    ({"inputs": [X | {"data": MARK}]}, "inputs[0].data: expected a list"),
    ({"inputs": [X | {"shape": [2, 7]}]}, "inputs[0].data: expected as many values"),
    ({"inputs": [X | {"data": [*ROW, SECRET]}]}, "inputs[0].data: expected as many values"),
    ({"inputs": [X | {"data": [[*ROW, SECRET]]}]}, "inputs[0].data: expected lists in a list"),
    ({"inputs": [X | {"data": [*ROW[:6], [SECRET]]}]}, "inputs[0].data: expected lists in a list"),
    ({"inputs": [X | {"data": [[*ROW[:6], [SECRET]]]}]}, "inputs[0].data: expected numbers"),
    ({"inputs": [X | {"data": [*ROW[:6], {"x": SECRET}]}]}, "inputs[0].data: expected numbers"),
    ({"inputs": [AGE | {"data": [[45]]}]}, "inputs[0].data: expected numbers"),
    ({"inputs": [X, AGE]}, "inputs: expected X alone"),
    ({"inputs": [X, X]}, "inputs: expected X alone"),
    ({"inputs": [AGE, AGE]}, "inputs[1].name: stands twice"),
    ({"inputs": [AGE, INCOME | {"shape": [2], "data": [1, 2]}]}, "inputs[1].shape: expected as many rows"),
    ({"inputs": [AGE | {"shape": [1, 2], "data": [1, 2]}]}, "inputs[0].shape: expected [N] or [N, 1]"),
    ({"inputs": [AGE | {"datatype": "BOOL"}]}, "inputs[0].datatype: expected FP64 or FP32 or INT8"),
    (
        {"inputs": [AGE | {"datatype": "INT64", "data": [SECRET]}]},
        "inputs[0].data: expected whole numbers within",
    ),
    ({"inputs": [INCOME | {"datatype": "INT8", "data": [128]}]}, "inputs[0].data: expected whole numbers within INT8"),
    ({"inputs": [INCOME | {"datatype": "INT8", "data": [-129]}]}, "inputs[0].data: expected whole numbers within INT8"),
    (
        {"inputs": [INCOME | {"datatype": "UINT8", "data": [256]}]},
        "inputs[0].data: expected whole numbers within UINT",
    ),
    ({"inputs": [INCOME | {"datatype": "UINT8", "data": [-1]}]}, "inputs[0].data: expected whole numbers within UINT"),
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


def test_the_least_and_the_greatest_number_of_a_datatype_are_within_it(client):
    for datatype, number in (("INT8", -128), ("INT8", 127), ("UINT8", 0), ("UINT8", 255), ("UINT64", 2**64 - 1)):
        response = infer(client, INCOME | {"datatype": datatype, "data": [number]})
        assert response.status_code == 422  # for the features that must be given


@pytest.mark.parametrize("body", ["", "{", '{"inputs": Infinity}', '{"inputs": [], "inputs": []}', "[" * 5000])
def test_what_is_not_strict_json_is_400(client, body):
    response = client.post(INFER, data=body, content_type="application/json")
    assert (response.status_code, set(response.json)) == (400, {"error"})


def test_the_binary_extension_is_refused_by_its_name(client):
    headers = {"Inference-Header-Content-Length": "10", "Content-Type": "application/octet-stream"}
    response = client.post(INFER, data=b"\0" * 66, headers=headers)
    assert response.status_code == 400
    assert response.json == {
        "error": "Inference-Header-Content-Length: the binary tensor data extension is not supported"
    }


def test_a_feature_that_is_named_as_the_matrix_is_a_feature(loans):
    contract = replace(loans, features=(replace(loans.features[0], name="X"), *loans.features[1:]))
    document = {"inputs": [column | {"name": column["name"].replace("Age", "X")} for column in columns(ROW, ROW)]}
    assert encode_tensors(contract, read_tensors(document)).tolist() == [ROW, ROW]


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
