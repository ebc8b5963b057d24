"""That the lane says what Flask says of any body is tested in `tests/serve/api/test_lane.py`."""

import json
import math
import struct
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve import strict_json
from serve.contract.contract import Contract
from serve.contract.decoder import ApplicationDecoder
from serve.errors import ServeError


def contract_of(*features: dict[str, Any]) -> Contract:
    target = {"name": "y", "meaning": "past_decision", "positive": 1, "labels": {"1": "yes", "0": "no"}}
    document = {"format": 1, "model_name": "m", "experiment": "e", "split_salt": "s", "target": target}
    return Contract.from_dict(document | {"feature": list(features)})


NUMBER = {"name": "amount", "type": "number", "min": -10.5, "max": 1000, "example": 1}
WHOLE = {"name": "years", "type": "integer", "min": 0, "max": 60, "missing": True, "example": 1}
NAME = {"name": "home", "type": "category", "values": ["own", "réntal"], "example": "own"}
MAYBE = {"name": "job", "type": "category", "values": ["a", "b"], "missing": True, "example": "a"}
DAY = {"name": "asked", "type": "date", "range": ["2015-01-01", "2026-12-31"], "missing": True, "example": "2020-02-29"}
MONTH = {**DAY, "name": "due", "as": "month"}
CONTRACT = contract_of(NUMBER, WHOLE, NAME, MAYBE, DAY, MONTH)
DECODER = ApplicationDecoder(CONTRACT)
PLAIN = contract_of(NUMBER, {**NUMBER, "name": "other"})


def numbers(row: bytes) -> list[float]:
    return [*struct.unpack(f"{len(row) // 8}d", row)]


def test_numbers_names_and_missing_values_are_encoded():
    body = '{"job":"b","home":"réntal","years":3,"asked":"2015-01-03","due":"2020-02-29","amount":1.5}'
    assert numbers(DECODER.decode(body.encode())) == [1.5, 3, 1, 1, 2, 2]
    row = numbers(DECODER.decode(b'{"amount": -10.5, "home": "own", "job": null}'))
    assert row[0:3:2] == [-10.5, 0]
    assert all(map(math.isnan, [*row[1:4:2], *row[4:]]))
    assert numbers(ApplicationDecoder(PLAIN).decode(b'{"amount":1,"other":2}')) == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount":1,"home":"own","home":"own"}',
        b'{"amount":1,"home":"own","years":1,"years":1}',
        b'{"amount":1,"home":"own","job":"a","job":null}',
        b'{"amount":1,"h\\u006fme":"own"}',
        b'{"amount":1}',
        b'{"amount":1,"home":"own","more":1}',
        b'{"amount":1000.0000001,"home":"own"}',
        b'{"amount":1,"home":"own","years":1.5}',
        b'{"amount":true,"home":"own"}',
        b'{"amount":1,"home":"own","asked":"2021-02-29"}',
        b'{"amount":1,"home":"own","asked":"29/02/2020"}',
        b'{"amount":1,"home":"own","asked":"2014-12-31"}',
        b'{"amount":1,"home":"own","asked":""}',
        b'{"amount":1,"home":"own","asked":5}',
        b"[]",
        b"",
    ],
)
def test_anything_else_is_left_to_others(body):
    assert DECODER.decode(body) is None


values = (
    st.none() | st.integers(-20, 1100) | st.floats(-20, 1100) | st.floats() | st.sampled_from(["own", "a", "b", ""])
)
days = st.sampled_from(["2020-02-29", "2021-02-29"]) | st.dates().map(str)


@given(application=st.dictionaries(st.sampled_from(["amount", "years", "home", "job", "asked", "due"]), values | days))
def test_what_is_decoded_is_what_the_contract_encodes(application):
    body = json.dumps(application).encode()
    row = DECODER.decode(body)
    try:
        expected = CONTRACT.encode(strict_json.loads(body)).tobytes()
    except ServeError:
        expected = None
    assert row == expected


HIRED = {"name": "hired", "type": "date", "since": "asked", "min": -9, "max": 0, "missing": True, "example": -1}
COUNTING = contract_of(DAY, NUMBER, HIRED)
close_days = st.dates(date(2020, 2, 25), date(2020, 3, 9)).map(str)


@given(
    application=st.dictionaries(st.sampled_from(["amount", "hired", "asked"]), values | close_days | st.integers(-9))
)
def test_days_that_are_counted_from_another_date_are_those_that_the_contract_counts(application):
    body = json.dumps(application).encode()
    try:
        expected = COUNTING.encode(strict_json.loads(body)).tobytes()
    except ServeError:
        expected = None
    assert ApplicationDecoder(COUNTING).decode(body) == expected


def test_days_between_two_dates_of_a_body_are_decoded():
    body = b'{"amount":1,"hired":"2020-02-27","asked":"2020-03-02"}'
    days = (date(2020, 3, 2) - date(2015, 1, 1)).days
    assert numbers(ApplicationDecoder(COUNTING).decode(body)) == [days, 1, -4]


def test_a_date_that_may_be_given_as_its_number_is_decoded_from_one():
    assert numbers(DECODER.decode(b'{"amount":1,"home":"own","due":3}'))[5] == 3
    assert DECODER.decode(b'{"amount":1,"home":"own","due":13}') is None


def test_days_from_a_date_that_is_not_scored_are_decoded_as_a_number_alone():
    decoder = ApplicationDecoder(contract_of({**DAY, "use": "monitor"}, NUMBER, HIRED))
    assert numbers(decoder.decode(b'{"amount":1,"hired":-1}')) == [1, -1]
    assert decoder.decode(b'{"amount":1,"hired":"2020-02-29"}') is None
    assert decoder.decode(b'{"amount":1,"hired":"2020-02-29","asked":"2020-03-01"}') is None
