import json

import pytest

from serve.api.body import CSV_MARKS, JSON_MARKS, _most_items
from serve.contract.contract import Contract


@pytest.mark.parametrize(
    ("marks", "body"),
    [
        (JSON_MARKS, json.dumps([{"a,[": "[{,,,}]"}] * 50)),
        (JSON_MARKS, json.dumps({"instances": [{"a,[": "[{,,,}]"}] * 50})),
        (CSV_MARKS, '"a,["\r\n' + '"[{,,,}]"\r\n' * 50),
    ],
)
def test_commas_and_brackets_within_the_contract_are_no_items(marks, body):
    target = {"name": "y", "meaning": "repaid", "positive": "1", "labels": {"0": "no", "1": "yes"}}
    names = {"format": 1, "model_name": "m", "experiment": "e", "split_salt": "s"}
    feature = {"name": "a,[", "type": "category", "values": ["x", "[{,,,}]"], "example": "x"}
    contract = Contract.from_dict(names | {"target": target, "feature": [feature]})
    assert sum(map(body.count, marks)) <= 50 * _most_items(contract, marks)
