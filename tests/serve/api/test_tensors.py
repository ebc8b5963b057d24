import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from serve.api.binary import Raw
from serve.api.tensors import encode_tensors, read_tensors

MARK = "7130425.5"  # a value that no message and no log line holds by chance
INFER = "/v2/models/loan_approval_model/infer"
ROW = [45, 85000, 650, 25000, 10, 5, 0]
NAMES = [
    *("Age", "Annual_Income", "Credit_Score", "Loan_Amount", "Loan_Duration_Years"),
    *("Number_of_Open_Accounts", "Had_Past_Default"),
]


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


def test_a_tensor_a_feature_says_the_same_as_the_matrix(client):
    rows = [ROW, [18, 0, 300, 1_000_000, 1, 0, 1], [None, None, None, 500.5, 30, None, None]]
    nested = tensor("X", [3, 7], rows)
    upright = [column | {"shape": [3, 1], "data": [[v] for v in column["data"]]} for column in reversed(columns(*rows))]
    flat_upright = [column | {"shape": [3, 1]} for column in columns(*rows)]
    expected = infer(client, matrix(*rows)).json
    assert len(expected["outputs"][0]["data"]) == 3
    for inputs in ([nested], columns(*rows), upright, flat_upright):
        assert infer(client, *inputs).json == expected


@pytest.mark.parametrize(("datatype", "value"), [("INT32", 1), ("UINT8", 1), ("BOOL", True), ("FP32", 1.0)])
def test_a_flag_may_come_as_any_datatype_that_holds_it_exactly(client, datatype, value):
    expected = infer(client, *columns([*ROW[:6], 1])).json
    flag = tensor("Had_Past_Default", [1], [value], datatype)
    assert infer(client, *columns(ROW)[:6], flag).json == expected


def test_the_matrix_may_be_of_whole_numbers(client):
    assert infer(client, matrix(ROW) | {"datatype": "INT64"}).json == infer(client, matrix(ROW)).json


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
        ([tensor("amount", [1], ["1"], "BYTES")], "inputs[0].datatype: expected FP64 or FP32 or FP16 or INT8 or "),
        ([tensor("region", [1], ["north"], "BYTES")], "inputs[0].name: unknown, expected X or amount, home"),
    ],
)
def test_a_tensor_of_the_wrong_kind_or_a_monitored_one_is_malformed(mixed_client, inputs, message):
    response = infer(mixed_client, *inputs, path="/v2/models/mixed_model/infer")
    assert response.status_code == 400
    assert response.json["error"].startswith(message)


def test_the_least_and_the_greatest_number_of_a_datatype_are_within_it(client):
    for datatype, number in (("INT8", -128), ("INT8", 127), ("UINT8", 0), ("UINT8", 255), ("UINT64", 2**64 - 1)):
        response = infer(client, INCOME | {"datatype": datatype, "data": [number]})
        assert response.status_code == 422  # for the features that must be given


EMPTY_X = {"name": "X", "shape": [1, 7], "datatype": "FP64"}
X, AGE, INCOME = matrix(ROW), columns(ROW)[0], columns(ROW)[1]
SECRET = float(MARK)
MALFORMED = [
    ({"inputs": [X | {"parameters": SECRET}]}, "inputs[0].parameters: expected an object"),
    ({"inputs": [X | {"parameters": {"binary_data_size": 56}}]}, "inputs[0]: expected data or binary_data_size, not"),
    ({"inputs": [EMPTY_X | {"parameters": {"binary_data_size": 56}}]}, "inputs[0].parameters.binary_data_size: "),
    ({"inputs": [EMPTY_X | {"parameters": {"binary_data_size": MARK}}]}, "inputs[0].parameters.binary_data_size: "),
    ({"inputs": [X | {"datatype": "BOOL"}]}, "inputs[0].data: expected true and false for BOOL"),
    ({"inputs": [X | {"parameters": {"shared_memory_region": MARK}}]}, "inputs[0].parameters.shared_memory_region: "),
    ({"inputs": [X | {"name": SECRET}]}, "inputs[0].name: expected text"),
    ({"inputs": [X | {"name": MARK}]}, "inputs[0].name: unknown, expected X or Age, Annual_Income, "),
    ({"inputs": [X | {"name": "x"}]}, "inputs[0].name: unknown, expected X or Age, Annual_Income, "),
    ({"inputs": [X | {"datatype": None}]}, "inputs[0].datatype: expected text"),
    ({"inputs": [X | {"datatype": MARK}]}, "inputs[0].datatype: expected FP64 or FP32"),
    ({"inputs": [matrix([0.5, *ROW[1:]]) | {"datatype": "INT64"}]}, "inputs[0].data: expected whole numbers"),
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
    ({"inputs": [AGE | {"datatype": "BOOL"}]}, "inputs[0].data: expected true and false for BOOL"),
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
]


@pytest.mark.parametrize(("body", "message"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_tensor_is_400_by_path_and_what_was_expected_never_the_value(client, caplog, body, message):
    caplog.set_level(logging.DEBUG)
    response = client.post(INFER, json=body)
    assert (response.status_code, set(response.json)) == (400, {"error"})
    assert response.json["error"].startswith(message)
    assert MARK not in response.text + caplog.text


def test_a_feature_that_is_named_as_the_matrix_is_a_feature(loans):
    contract = replace(loans, features=(replace(loans.features[0], name="X"), *loans.features[1:]))
    document = {"inputs": [column | {"name": column["name"].replace("Age", "X")} for column in columns(ROW, ROW)]}
    assert encode_tensors(contract, read_tensors(document, Raw(b""))).tolist() == [ROW, ROW]
