import json
import re
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve import strict_json
from serve.errors import JSONError
from tests.serve.test_strict_json import NASTY, TOKENS, VALUES, outcome


def in_pieces(body: bytes, size: int = 24) -> tuple[str, str]:
    """Return the outcome of reading a body in pieces of so many bytes."""
    with mock.patch.object(strict_json, "PIECE", size):
        return outcome(strict_json.loads_in_pieces, body)


def is_alike(body: bytes) -> bool:
    """Whether a body is read in pieces as by the slow reader, or refused for what only a large body is refused for."""
    kind, text = in_pieces(body)
    return (kind, text) == outcome(strict_json.read_slowly, body) or (kind == "error" and "an item of" in text)


@pytest.mark.parametrize("body", NASTY, ids=lambda body: f"{body[:20]!r}-{len(body)}")
def test_a_body_in_pieces_is_never_read_otherwise(body):
    deep = [b"[" * 33, b'{"a":' * 33, b"[" * 34, b"[" * 500, b'{"a":' * 500]
    assert is_alike(body) or body.startswith(tuple(deep))


@given(VALUES, st.booleans())
def test_any_json_value_is_read_alike_in_pieces(value, in_ascii):
    body = json.dumps(value, ensure_ascii=in_ascii).encode("utf-8", "surrogatepass")
    assert is_alike(body)


@given(VALUES, st.lists(st.tuples(st.integers(0), st.integers(0, 3), st.sampled_from(TOKENS)), min_size=1, max_size=4))
def test_any_damaged_json_is_accepted_in_pieces_only_if_the_slow_reader_accepts_it(value, damages):
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for at, gone, token in damages:
        at %= len(body) + 1
        body = body[:at] + token + body[at + gone :]
    kind, read = in_pieces(body)
    assert (kind, read) == outcome(strict_json.read_slowly, body) or kind == "error"
    assert kind == "value" or outcome(strict_json.read_slowly, body)[0] == "error" or "an item of" in read


RECORDS = json.dumps([{"a": [n, {"b,[": "x"}], "c": {"d": '\\",{', "e": [[n], []]}} for n in range(200)])


@pytest.mark.parametrize("size", [100, 101, 102, 103, 500, 4096])
@pytest.mark.parametrize(
    "body", [RECORDS, f'{{"inputs": {{"a": {RECORDS}, "b": [1]}}, "c": 1}}', RECORDS.replace(" ", "")]
)
def test_nested_records_are_read_alike_in_pieces_of_any_size(body, size):
    assert in_pieces(body.encode(), size) == ("value", repr(json.loads(body)))


@pytest.mark.parametrize("size", [24, 100])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('[{"a":1,' + '"b":1,"c":1},{"d":1,' * 30 + '"d":2}]', "twice"),
        ('{"k":1,' + ",".join(f'"a{n}":{n}' for n in range(100)) + ',"k":2}', "twice"),
        ("[" + "1," * 200 + "]", "not JSON"),
        ("[" + "1," * 200, "not JSON"),
        ("[" + "1," * 100 + "," + "1," * 100 + "1]", "not JSON"),
        ("[" + "1," * 100 + "1}", "not JSON"),
        ("[" + "1," * 100 + "1],[1,2,3" + ",4" * 50 + "]", "not JSON"),
        ("1," * 100 + "1", "not JSON"),
        ("[" + "1," * 100 + "x" + ",1" * 100 + "]", "at character 201$"),
        ('["' + "ã" * 10 + '",' + "1," * 100 + "x" + ",1" * 100 + "]", "at character 214$"),
        ("[" + "1," * 100 + "NaN" + ",1" * 100 + "]", "NaN"),
        ("[" + "[" * 40 + "1," * 100 + "1" + "]" * 41, "nested too deep|an item of the body is longer than"),
        ("".join("[" + "1," * 9 for _ in range(40)) + "1" + "]" * 40, "nested too deep"),
        ('["' + "x" * 101 + '"]', "an item of the body is longer than"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_what_is_not_strict_json_is_refused_in_pieces(body, reason, size):
    kind, text = in_pieces(body.encode(), size)
    assert kind == "error"
    assert re.search(reason, text)


def test_a_large_body_is_parsed_in_pieces_between_which_other_threads_run():
    body = json.dumps([{"age": 45, "income": 1.5}] * 20_000).encode()
    with mock.patch.object(strict_json, "loads", wraps=strict_json.loads) as read:
        assert len(strict_json.loads_in_pieces(body)) == 20_000
    sizes = [len(call.args[0]) for call in read.call_args_list]
    assert max(sizes) < 1.1 * strict_json.PIECE
    assert sum(sizes) > 0.9 * len(body)


def test_an_object_of_countless_names_is_refused_before_it_is_whole():
    body = ("{" + ",".join(f'"name {n}":1' for n in range(200_000)) + "}").encode()
    with pytest.raises(JSONError, match="an object of the body has more than 10000 names"):
        strict_json.loads_in_pieces(body)
