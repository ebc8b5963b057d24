import json
import logging
from unittest.mock import Mock

import pytest
from flask import Request

from serve import strict_json
from serve.api.body import CSV_MARKS, JSON_MARKS, _most_items
from serve.contract.contract import Contract

JSON = "application/json"
MARK = "7130425.5"  # a value that no message and no log line holds by chance


@pytest.mark.parametrize(
    ("marks", "body"),
    [
        (JSON_MARKS, json.dumps([{"a,[": "[{,,,}]"}] * 50)),
        (JSON_MARKS, json.dumps({"instances": [{"a,[": "[{,,,}]"}] * 50})),
        (CSV_MARKS, '"a,["\r\n' + '"[{,,,}]"\r\n' * 50),
    ],
)
def test_commas_and_brackets_in_the_contract_s_texts_do_not_count_as_items(marks, body):
    target = {"name": "y", "meaning": "repaid", "positive": "1", "labels": {"0": "no", "1": "yes"}}
    names = {"format": 1, "model_name": "m", "experiment": "e", "split_salt": "s"}
    feature = {"name": "a,[", "type": "category", "values": ["x", "[{,,,}]"], "example": "x"}
    contract = Contract.from_dict(names | {"target": target, "feature": [feature]})
    assert sum(map(body.count, marks)) <= 50 * _most_items(contract, marks)


REFUSED = [
    (400, "", JSON),
    (400, MARK + ",", JSON),
    (400, f'{{"Age": NaN, "Loan_Amount": {MARK}}}', JSON),
    (400, f'{{"Age": {MARK}, "Age": {MARK}}}', JSON),
    (400, f"{'[' * 5000}{MARK}", JSON),
    (400, b'{"Age": "7130425.5\xff"}', JSON),
    (413, f'{{"Age": "{MARK * 20_000}"}}', JSON),
    (415, f'{{"Age": {MARK}}}', "text/plain"),
    (415, f"Age={MARK}", "application/x-www-form-urlencoded"),
    (415, f'{{"Age": {MARK}}}', None),
    (422, f"[{MARK}]", JSON),
    (422, f'"{MARK}"', JSON),
    (422, f'{{"Age": {MARK}, "Credit_Score": "{MARK}", "Loan_Amount": [{MARK}], "x": {MARK}}}', JSON),
    (422, f'{{"Age": {{"{MARK}": {MARK}}}}}', JSON),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSED, ids=[f"{s}-{n}" for n, (s, _, _) in enumerate(REFUSED)])
def test_a_refusal_has_the_one_shape_and_neither_answer_nor_log_holds_the_value(client, caplog, status, body, kind):
    caplog.set_level(logging.DEBUG)
    response = client.post("/api/v2/predict", data=body, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, JSON)
    assert set(response.json) == ({"error", "fields"} if status == 422 else {"error"})
    assert MARK not in response.text + str(response.headers) + caplog.text


@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_every_spelling_of_the_json_content_type_is_accepted(client, loans, kind):
    body = strict_json.dumps(loans.example())
    assert client.post("/api/v2/predict", data=body, content_type=kind).status_code == 200


BATCH = "/api/v2/predict/batch"


@pytest.mark.parametrize("path", ["/api/v2/predict", BATCH])
@pytest.mark.parametrize("fault", [MemoryError, RuntimeError, ValueError])
def test_a_fault_of_ours_while_the_body_is_read_is_500_and_not_the_caller_s(
    client, application, monkeypatch, path, fault
):
    monkeypatch.setattr(Request, "get_data", Mock(side_effect=fault))
    response = client.post(path, json=application)
    assert (response.status_code, response.json) == (500, {"error": "internal error"})


def test_a_body_that_ends_early_is_the_caller_s_fault(client, application, monkeypatch):
    monkeypatch.setattr(Request, "get_data", Mock(side_effect=ConnectionResetError))
    assert client.post(BATCH, json=[application]).status_code == 400


@pytest.mark.parametrize("path", [BATCH, "/invocations", "/v2/models/loan_approval_model/infer"])
def test_a_body_that_would_take_too_much_memory_is_413_before_it_is_parsed(shelf, make_app, monkeypatch, path):
    shelf.promote("loans")
    app = make_app(max_batch_bytes=40_000)
    monkeypatch.setattr(strict_json, "loads_in_pieces", None)
    response = app.test_client().post(path, data='["' + '","' * 10_000 + '"]', content_type=JSON)
    assert response.status_code == 413
    assert response.json["error"] == "too many values for one request, send them in several requests"


@pytest.mark.parametrize("body", ['[{"Age": 17}]', "[1", "[]", "7"])
def test_the_room_of_a_batch_is_free_again_after_its_answer(client, application, body):
    shared = client.application.extensions["room"]
    before = shared._free
    assert client.post(BATCH, data=body, content_type=JSON).status_code in (400, 422)
    assert client.post(BATCH, json=[application]).status_code == 200
    assert shared._free == before


@pytest.mark.parametrize("size", [200, 70_000])
def test_a_body_that_the_front_holds_is_judged_as_one_that_is_read(shelf, make_app, size):
    shelf.promote("loans")
    client = make_app().test_client()
    body = b'{"Age": %b}' % (b"9" * (size - 9))
    read, held = (
        client.post("/api/v2/predict", data=body, content_type=JSON, environ_overrides=more)
        for more in ({}, {"serve.body": body, "wsgi.input": None})
    )
    assert (held.status_code, held.data) == (read.status_code, read.data)
    assert held.status_code == (413 if size > 65_536 else 422)
