import math

import pytest

from serve import strict_json
from serve.errors import JSONError


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


def test_json_is_written_compactly_in_utf8():
    assert strict_json.dumps({"a": [1, "ã", None]}) == '{"a":[1,"ã",null]}'.encode()


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
def test_all_else_stays_refused_where_nan_is_null(body):
    with pytest.raises(JSONError):
        strict_json.loads(body, nan_is_null=True)
