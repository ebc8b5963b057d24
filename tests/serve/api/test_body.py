import json
import logging

import pytest

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
