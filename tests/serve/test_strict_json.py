import json
import math
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve import strict_json
from serve.errors import JSONError

NASTY = [
    *(sign + digits for sign in (b"", b"-") for digits in (b"0", b"0.0", b"0e5", b"1e999", b"1e308", b"1e-999")),
    *(sign + str(2**bits + step).encode() for sign in (b"", b"-") for bits in (53, 63, 64) for step in (-1, 0, 1)),
    *(sign + b"1" * digits for sign in (b"", b"-") for digits in (4299, 4300, 4301)),
    *(b"1.7976931348623157e308", b"1.7976931348623159e308", b"2.2250738585072011e-308", b"4.9e-324", b"2.4e-324"),
    *(b"9007199254740992.99999999999999999999", b"0." + b"0" * 400 + b"1", b"1" + b"0" * 400 + b"e-400", b"1E+0005"),
    *(b"[" * n + b"]" * n for n in (1, 31, 32, 33, 34, 500, 100_000)),
    *(b'{"a":' * n + b"1" + b"}" * n for n in (1, 31, 32, 33, 34, 500, 100_000)),
    *(b"[" * n + b'{"a":1,"a":1}' + b"]" * n for n in (0, 1, 29, 30, 31, 32, 33)),
    *(
        b"",
        b" ",
        b"\xef\xbb\xbf1",
        b"\x0b1",
        b"\xc2\xa01",
        b"1 2",
        b"1\x00",
        b"NaN",
        b"-Infinity",
        b"[1,]",
        b"01",
        b"1.",
    ),
    *(
        b'"\x00"',
        b'"\x1f"',
        b'"\x7f"',
        b'"\xe2\x80\xa8"',
        b'"\xed\xa0\x80"',
        b'{"\xed\xa0\x80":1}',
        b'"\xf4\x90\x80\x80"',
    ),
    *(rb'"\ud83d\ude00"', rb'"\ud800"', rb'{"a":1,"\u0061":2}', rb'"\/"', rb'"\x"', b'{"a":"[{","b":"a"}', b'{"a":1'),
    *(b'[{"a":1,"b":2},{"a":1,"b":2,"a":3}]', b'[{"a":1},{"a":"a"}]', b'{"a":1,"a":"x"}', b"{1:2}", b"'a'"),
]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":[1,-2.5e3,true,null,"\xc3\xa3"]}', {"a": [1, -2500.0, True, None, "ã"]}),
        (b' \r\n\t{"a":{"b":1},"c":{"b":2}} ', {"a": {"b": 1}, "c": {"b": 2}}),
        (rb'"\ud83d\ude00"', "😀"),
        (b"1" + b"0" * 400, 10**400),
        (b"1e-999", 0.0),
    ],
)
def test_json_is_read(body, value):
    assert strict_json.loads(body) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON at character 0"),
        (b"{'a': 1}", "not JSON at character 1"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b"{} {}", "not JSON at character 3"),
        (b'{"a": "\n"}', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"NaN", "NaN and Infinity"),
        (b'{"a": [-Infinity]}', "NaN and Infinity"),
        (b'{"a": 1e999}', "beyond float64"),
        (b"-1e999", "beyond float64"),
        (b'{"a": 1, "a": 1}', "twice"),
        (rb'{"a": 1, "\u0061": 2}', "twice"),
        (b'[{"b": {"a": 1, "a": 2}}]', "twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'"\xff"', "not valid UTF-8"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not valid UTF-8"),
        (rb'"\ud800"', "not valid UTF-8"),
        (rb'{"\udc00": 1}', "not valid UTF-8"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_is_not_strict_json_is_refused_with_the_reason(body, reason):
    with pytest.raises(JSONError, match=reason):
        strict_json.loads(body)


@pytest.mark.parametrize("body", [b'{"a": SECRET}', b'{"a": "SECRET', b'{"SECRET": 1, "SECRET": 2}', b'"SECRET\xff"'])
def test_a_refusal_quotes_nothing_of_the_body(body):
    with pytest.raises(JSONError) as caught:
        strict_json.loads(body)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def outcome(read: Callable[[bytes], Any], body: bytes) -> tuple[str, str]:
    """Return the value with its types and order, or the error with its message."""
    try:
        return "value", repr(read(body))  # repr tells 1 from 1.0 and True, and 0.0 from -0.0
    except JSONError as err:
        return "error", str(err)


@pytest.mark.parametrize("body", NASTY, ids=lambda body: f"{body[:20]!r}-{len(body)}")
def test_the_quick_reader_never_differs_from_the_slow_one(body):
    assert outcome(strict_json.loads, body) == outcome(strict_json.read_slowly, body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TOKENS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b'"a"', b'"a":', b'"a":1,', b'{"a":1}', b'"\\u0061":'),
    *(b"1", b"-", b"0", b".", b"e", b"1e999", b"-0", b"NaN", b"null", b"true", b"\xff", b"\xc3\xa3", b"\xef\xbb\xbf"),
    *(b"\x00", b"\n", b"1" * 20, b'"[{"', b"\\ud800", b"[" * 40, b"]" * 40, b"[]", b"{}"),
]


SMALL = [1, 1.5, None, True, "a", "", "[", {}, {"a": 1}, {"a": {"a": "a"}}, [], ["a", 1]]


@given(VALUES, st.booleans())
def test_any_json_value_is_read_alike_by_both(value, in_ascii):
    body = json.dumps(value, ensure_ascii=in_ascii).encode("utf-8", "surrogatepass")
    assert outcome(strict_json.loads, body) == outcome(strict_json.read_slowly, body)


@given(VALUES, st.lists(st.tuples(st.integers(0), st.integers(0, 3), st.sampled_from(TOKENS)), min_size=1, max_size=4))
def test_any_damaged_json_is_read_alike_by_both(value, damages):
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for at, gone, token in damages:
        at %= len(body) + 1
        body = body[:at] + token + body[at + gone :]
    assert outcome(strict_json.loads, body) == outcome(strict_json.read_slowly, body)


@given(st.lists(st.sampled_from(TOKENS)).map(b"".join) | st.binary())
def test_any_bytes_are_read_alike_by_both(body):
    assert outcome(strict_json.loads, body) == outcome(strict_json.read_slowly, body)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "ã", "[", "{"]), st.sampled_from(SMALL)), max_size=5),
    st.integers(1, 300),
    st.integers(0, 40),
)
def test_a_duplicate_key_is_found_wherever_and_in_however_many_records_it_hides(pairs, records, depth):
    fields = ",".join(f'"{key}":{json.dumps(value, ensure_ascii=False)}' for key, value in pairs)
    body = ("[" * depth + ",".join(["{" + fields + "}"] * records) + "]" * depth).encode("utf-8", "surrogatepass")
    assert outcome(strict_json.loads, body) == outcome(strict_json.read_slowly, body)


def test_a_plain_body_never_reaches_the_slow_reader(monkeypatch):
    monkeypatch.setattr(strict_json, "read_slowly", None)
    records = [{"age": 45, "income": 1.5, "home": "own [", "paid": True, "more": [None, {"a": 1}]}] * 1000
    assert strict_json.loads(json.dumps(records).encode()) == records


def test_a_body_with_an_escape_is_left_to_the_slow_reader(monkeypatch):
    monkeypatch.setattr(strict_json, "read_slowly", lambda *_: "read slowly")
    assert strict_json.loads(rb'{"a": "\n"}') == "read slowly"


def test_json_is_written_compactly_in_utf8():
    assert strict_json.dumps({"a": [1, "ã", None]}) == '{"a":[1,"ã",null]}'.encode()


@given(VALUES)
def test_a_document_is_written_in_pieces_as_in_one(value):
    with mock.patch.object(strict_json, "PIECE_ITEMS", 2):
        assert strict_json.dumps_in_pieces(value) == strict_json.dumps(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_json_is_never_written(value):
    with pytest.raises(ValueError, match="JSON"):
        strict_json.dumps({"a": value})


@pytest.mark.parametrize("body", [b'{"a": [NaN, 1]}', b'{"a":[NaN,1],"b":"\\u00e9"}', b'{"a": [null, 1]}'])
def test_nan_is_null_only_where_that_is_asked_for(body):
    assert strict_json.loads(body, nan_is_null=True)["a"] == [None, 1]
    if b"NaN" in body:
        with pytest.raises(JSONError, match="NaN and Infinity are not JSON"):
            strict_json.loads(body)


@pytest.mark.parametrize("body", [b"Infinity", b"-Infinity", b"[1e999, NaN]", b'{"a": NaN, "a": NaN}'])
def test_where_nan_is_null_the_rest_is_still_refused(body):
    with pytest.raises(JSONError):
        strict_json.loads(body, nan_is_null=True)


@pytest.mark.parametrize(("hook", "body"), [("_float", b'{"\\u0061": 1.5}'), ("_int", b'{"\\u0061": 1}')])
def test_a_fault_of_ours_is_not_blamed_on_the_body(monkeypatch, hook, body):
    monkeypatch.setattr(strict_json, hook, mock.Mock(side_effect=ValueError("ours")))
    with pytest.raises(ValueError, match="ours"):
        strict_json.loads(body)
