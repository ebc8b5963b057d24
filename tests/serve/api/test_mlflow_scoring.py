import json
import logging
import uuid
from typing import Any

import pytest

MARK = "7130425.5"  # a value that no message and no log line holds by chance
NAMES = [
    *("Age", "Annual_Income", "Credit_Score", "Loan_Amount", "Loan_Duration_Years"),
    *("Number_of_Open_Accounts", "Had_Past_Default"),
]
GOOD, BAD = [45, 85000, 650, 25000, 10, 5, 0], [18, 0, 300, 1_000_000, 1, 0, 1]
ROWS = [GOOD, BAD, GOOD]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
COLUMNS = {name: list(column) for name, column in zip(NAMES, zip(*ROWS, strict=True), strict=True)}
CSV = "\n".join([",".join(NAMES), *(",".join(map(str, row)) for row in ROWS)]) + "\n"
ERROR = {"error", "error_code", "message"}


def invoke(client, body: Any, kind: str | None = "application/json"):
    return client.post(
        "/invocations", data=body if isinstance(body, str | bytes) else json.dumps(body), content_type=kind
    )


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_ping_is_an_empty_line_with_a_model(client, path):
    response = client.get(path)
    assert (response.status_code, response.data, response.mimetype) == (200, b"\n", "text/plain")


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_ping_is_503_without_a_model(empty_client, path):
    response = empty_client.get(path)
    assert (response.status_code, set(response.json)) == (503, ERROR)


@pytest.mark.parametrize("server", ["client", "empty_client"])
def test_the_version_is_bare_text_with_and_without_a_model(request, server):
    response = request.getfixturevalue(server).get("/version")
    assert (response.status_code, response.data, response.mimetype) == (200, b"3.17.2", "text/plain")


ACCEPTED = {
    "split": {"dataframe_split": {"columns": NAMES, "data": ROWS}},
    "split with an index": {"dataframe_split": {"index": [7, "a", None], "columns": NAMES, "data": ROWS}},
    "split with a null index": {"dataframe_split": {"index": None, "columns": NAMES, "data": ROWS}},
    "split in another order": {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in ROWS]}},
    "records": {"dataframe_records": RECORDS},
    "instances as records": {"instances": RECORDS},
    "instances as columns": {"instances": COLUMNS},
    "inputs as records": {"inputs": RECORDS},
    "inputs as columns": {"inputs": COLUMNS},
    "empty params": {"dataframe_records": RECORDS, "params": {}},
    "null params": {"dataframe_records": RECORDS, "params": None},
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_each_way_to_give_many_applications_gets_the_codes(client, shelf, body):
    response = invoke(client, body)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.data == b'{"predictions":[1,0,1]}'
    assert uuid.UUID(response.headers["X-Decision-Id"]).version == 7
    assert response.headers["X-Model-Version"] == "7"
    assert response.headers["X-Model-Sha256"] == shelf.store.pointer().sha256


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "text/csv; charset=UTF-8", "Text/CSV"])
def test_csv_gets_the_codes(client, kind):
    response = invoke(client, CSV, kind)
    assert (response.status_code, response.data) == (200, b'{"predictions":[1,0,1]}')


@pytest.mark.parametrize("name", ["instances", "inputs"])
def test_one_record_alone_is_one_application(client, name):
    assert invoke(client, {name: RECORDS[1]}).json == {"predictions": [0]}


def test_the_code_is_decided_at_the_served_threshold(client):
    above_one_half = RECORDS[0] | {"Credit_Score": 590}  # 0.525, and the threshold of this file is 0.55
    assert invoke(client, {"instances": [above_one_half, RECORDS[0]]}).json == {"predictions": [0, 1]}


@pytest.mark.parametrize("missing", ["null", "NaN"])
def test_null_nan_and_absent_mean_missing_where_a_value_may_be(client, missing):
    rows = [[None, None, None, 25000, 10, None, 1], [None, None, 850, 500, 10, None, None]]
    body = json.dumps({"dataframe_split": {"columns": NAMES, "data": rows}}).replace("null", missing)
    absent = [{"Loan_Amount": 25000, "Loan_Duration_Years": 10, "Had_Past_Default": 1}]
    absent += [{"Credit_Score": 850, "Loan_Amount": 500, "Loan_Duration_Years": 10}]
    assert invoke(client, body).json == invoke(client, {"instances": absent}).json == {"predictions": [0, 1]}
    must = {"Loan_Amount": [500], "Loan_Duration_Years": [10]}
    split = {"columns": list(must), "data": [[500, 10]]}
    cells = CSV.splitlines()[0] + "\n,,,500,10,,"
    answers = [invoke(client, body) for body in ({"inputs": must}, {"dataframe_split": split})]
    answers.append(invoke(client, cells, "text/csv"))
    assert [answer.json for answer in answers] == [{"predictions": [1]}] * 3


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"dataframe_split": {"columns": NAMES, "data": [GOOD, [17, *GOOD[1:]]]}}, {"1.Age"}),
        ({"dataframe_records": [RECORDS[0] | {"Age": "45"}, RECORDS[0] | {"Shoe_Size": 44}]}, {"0.Age", "1.Shoe_Size"}),
        ({"inputs": COLUMNS | {"Age": [45, float("nan"), True]}}, {"2.Age"}),
        ({"inputs": COLUMNS | {"Shoe_Size": [1, 2, 3]}}, {"Shoe_Size"}),
        ({"inputs": COLUMNS | {"Loan_Amount": [None, 500, None]}}, {"0.Loan_Amount", "2.Loan_Amount"}),
        ({"inputs": COLUMNS | {"Age": [45]}}, None),
        ({"instances": [RECORDS[0], {}]}, {"1.Loan_Amount", "1.Loan_Duration_Years"}),
        ({"instances": {}}, {"0.Loan_Amount", "0.Loan_Duration_Years"}),
        ({"dataframe_split": {"columns": ["Age"], "data": [[45]]}}, {"Loan_Amount", "Loan_Duration_Years"}),
        ({"dataframe_records": [RECORDS[0], GOOD]}, {"1"}),
        ({"dataframe_records": []}, {""}),
        ({"instances": []}, {""}),
        ({"dataframe_split": {"columns": NAMES, "data": []}}, {""}),
    ],
)
def test_what_breaks_the_contract_is_422_in_the_one_shape(client, body, fields):
    response = invoke(client, body)
    assert (response.status_code, set(response.json)) == (422, ERROR | {"fields"})
    assert response.json["message"] == response.json["error"]
    assert fields is None or set(response.json["fields"]) == fields


@pytest.mark.parametrize("cell", ["17", "NA", "null", "NaN", "forty"])
def test_a_csv_cell_that_is_not_empty_is_never_missing(client, cell):
    response = invoke(client, CSV.replace("45", cell, 1), "text/csv")
    assert (response.status_code, set(response.json["fields"])) == (422, {"0.Age"})


SECRET = float(MARK)
SPLIT = {"columns": NAMES, "data": [[SECRET, *GOOD[1:]]]}
MALFORMED = [
    ([SECRET], "expected an object with exactly one of dataframe_split, dataframe_records, instances, inputs"),
    (MARK, "expected an object with exactly one of"),
    ({}, "expected an object with exactly one of"),
    ({"messages": [MARK]}, "expected an object with exactly one of"),
    ({"inputs": COLUMNS, "instances": [SECRET]}, "expected an object with exactly one of"),
    ({"inputs": COLUMNS, "signature_name": MARK}, "unknown key"),
    ({"inputs": COLUMNS, MARK: 1}, "unknown key"),
    ({"inputs": COLUMNS, "params": {MARK: 1}}, "params: unknown name, expected details or reasons"),
    ({"inputs": COLUMNS, "params": {"details": SECRET}}, "params.details: expected true or false"),
    ({"inputs": COLUMNS, "params": [SECRET]}, "params: expected an object or null"),
    ({"inputs": COLUMNS, "params": False}, "params: expected an object or null"),
    ({"dataframe_split": [SECRET]}, "dataframe_split: expected an object of columns and data"),
    ({"dataframe_split": {"data": [[SECRET]]}}, "dataframe_split: expected an object of columns and data"),
    ({"dataframe_split": {"columns": NAMES}}, "dataframe_split: expected an object of columns and data"),
    ({"dataframe_split": SPLIT | {MARK: 1}}, "dataframe_split: expected an object of columns and data"),
    ({"dataframe_split": SPLIT | {"columns": MARK}}, "dataframe_split.columns: expected a list of names"),
    ({"dataframe_split": SPLIT | {"columns": [SECRET]}}, "dataframe_split.columns: expected a list of names"),
    ({"dataframe_split": SPLIT | {"columns": ["Age"] * 7}}, "dataframe_split.columns: a name stands twice"),
    ({"dataframe_split": SPLIT | {"data": SECRET}}, "dataframe_split.data: expected a list of rows"),
    ({"dataframe_split": SPLIT | {"data": [GOOD, SECRET]}}, "dataframe_split.data[1]: expected a list of as many"),
    ({"dataframe_split": SPLIT | {"data": [GOOD[1:]]}}, "dataframe_split.data[0]: expected a list of as many"),
    ({"dataframe_split": SPLIT | {"data": [[*GOOD, SECRET]]}}, "dataframe_split.data[0]: expected a list of as many"),
    ({"dataframe_split": SPLIT | {"index": [1, SECRET]}}, "dataframe_split.index: expected as many entries"),
    ({"dataframe_split": SPLIT | {"index": MARK}}, "dataframe_split.index: expected as many entries"),
    ({"dataframe_records": {MARK: 1}}, "dataframe_records: expected a list of records"),
    ({"instances": [[SECRET, *GOOD[1:]]]}, "instances: expected records or columns; values without names are ambig"),
    ({"instances": [RECORDS[0], [SECRET]]}, "instances: expected records or columns"),
    ({"inputs": [[SECRET, *GOOD[1:]]]}, "inputs: expected records or columns"),
    ({"inputs": SECRET}, "inputs: expected records or columns"),
    ({"inputs": COLUMNS | {"Age": SECRET}}, "inputs: expected a list in each column, or in none"),
    ("", "the body is not JSON"),
    ('{"inputs": {"Age": [Infinity]}}', "Infinity is not JSON"),
    ('{"inputs": {"Age": [-Infinity]}}', "Infinity is not JSON"),
    (f'{{"inputs": {{"Age": [{MARK}], "Age": [1]}}}}', "a key stands twice"),
    (b'{"inputs": "\xff"}', "the body is not valid UTF-8"),
]


@pytest.mark.parametrize(("body", "message"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_body_is_400_and_neither_answer_nor_log_holds_the_value(client, caplog, body, message):
    caplog.set_level(logging.DEBUG)
    response = invoke(client, json.dumps(body) if body == MARK else body)
    assert (response.status_code, set(response.json)) == (400, ERROR)
    assert response.json["error"].startswith(message)
    assert MARK not in response.text + caplog.text


@pytest.mark.parametrize(
    "kind",
    [
        *(None, "text/plain", "application/vnd.apache.parquet", "application/x-www-form-urlencoded"),
        *("application/json; charset=latin-1", "text/csv; charset=latin-1", "text/csv; header=present"),
    ],
)
def test_another_content_type_is_415(client, kind):
    response = invoke(client, CSV, kind)
    assert (response.status_code, set(response.json)) == (415, ERROR)


def test_many_rows_are_decided_up_to_the_limits(shelf, make_app):
    shelf.promote("loans")
    client = make_app(max_batch_rows=3, max_batch_bytes=3000, max_body_bytes=10).test_client()
    assert invoke(client, {"dataframe_records": RECORDS}).status_code == 200
    four = [*ROWS, GOOD]
    too_many = [
        *({"dataframe_records": [*RECORDS, RECORDS[0]]}, {"dataframe_split": {"columns": NAMES, "data": four}}),
        *({"inputs": {name: [column[0]] * 4 for name, column in COLUMNS.items()}}, {"instances": RECORDS * 2}),
    ]
    answers = [invoke(client, body) for body in too_many]
    answers += [invoke(client, CSV + CSV.splitlines()[1], "text/csv"), invoke(client, CSV * 20, "text/csv")]
    assert [(answer.status_code, set(answer.json)) for answer in answers] == [(413, ERROR)] * 6


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["Age"], "data": [[17]] * 4}},
        {"dataframe_records": [{}] * 4},
        {"inputs": {"Age": [17] * 4}},
    ],
)
def test_too_many_rows_are_refused_before_they_are_judged(shelf, make_app, body):
    shelf.promote("loans")
    assert invoke(make_app(max_batch_rows=3).test_client(), body).status_code == 413


@pytest.mark.parametrize("body", [{"dataframe_records": RECORDS}, "{"])
def test_without_a_model_invocations_is_503(empty_client, body):
    response = invoke(empty_client, body)
    assert (response.status_code, set(response.json)) == (503, ERROR)


@pytest.mark.parametrize(("method", "path"), [("GET", "/invocations"), ("POST", "/ping"), ("POST", "/version")])
def test_another_method_has_the_one_shape(client, method, path):
    response = client.open(path, method=method)
    assert (response.status_code, set(response.json)) == (405, {"error"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"dataframe_split": {"columns": [f"c{n}" for n in range(58)], "data": [[]]}},
            "columns: expected no more names",
        ),
        ({"dataframe_split": {"columns": NAMES, "data": ROWS}} | {f"k{n}": 1 for n in range(5000)}, "unknown key"),
    ],
)
def test_names_beyond_those_of_the_contract_are_refused_by_their_number(client, body, message):
    response = invoke(client, body)
    assert response.status_code == 400
    assert message in response.json["error"]
