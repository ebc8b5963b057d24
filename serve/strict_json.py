"""Reads and writes JSON strictly: refuses what two readers could understand differently."""

import json
import math
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from serve.errors import JSONError

_DEEPEST = 32  # levels that the quick reader accepts; the slow one goes as deep as the interpreter's stack allows
_DECODER = msgspec.json.Decoder()


def loads(body: bytes, nan_is_null: bool = False) -> Any:
    """Parse a UTF-8 body. Raises JSONError for all that RFC 8259 forbids or leaves open: NaN, Infinity, numbers beyond
    float64, duplicate keys, a byte-order mark, lone surrogates, nesting or digits without end.

    nan_is_null: NaN is read as null, for protocols whose clients write it for a missing value.
    The result is always that of `read_slowly`; msgspec is tried first because it is quicker.
    """
    try:
        value = _DECODER.decode(body)
        # Bodies with escapes go to the slow reader: an escape may be half a surrogate pair.
        if b"\\" not in body and _is_all(value, body):
            return value
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # the slow reader reads it or names the fault
    return read_slowly(body, nan_is_null)


def read_slowly(body: bytes, nan_is_null: bool = False) -> Any:
    """Parse a UTF-8 body as `loads` does, with the standard library, whose hooks see duplicate keys."""
    try:
        text = body.decode("utf-8")
        constant = partial(_constant, nan_is_null=nan_is_null)
        value = json.loads(text, object_pairs_hook=_object, parse_constant=constant, parse_float=_float)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate can't be encoded
    except UnicodeError:
        raise JSONError("the body is not valid UTF-8 text") from None
    except RecursionError:
        raise JSONError("the body is nested too deep") from None
    except ValueError as err:
        where = f" at character {err.pos}" if isinstance(err, json.JSONDecodeError) else ""
        raise JSONError(f"the body is not JSON{where}") from None
    return value


def count_byte(body: bytes, character: bytes) -> int:
    """Return how often an ASCII character occurs in a body."""
    # numpy takes some microseconds to start, but then its speed does not depend on the number of hits.
    if len(body) < 4096:
        return body.count(character)
    return np.count_nonzero(np.frombuffer(body, np.uint8) == ord(character))


def dumps(value: Any) -> bytes:
    """Return compact UTF-8 JSON; NaN and infinities raise ValueError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _is_all(value: Any, body: bytes) -> bool:
    """Whether a value read from a body without backslashes has every key of it, at most `_DEEPEST` levels deep.

    Each key and each text has two quotes, so a key that was overwritten by its duplicate leaves quotes that no value
    accounts for. When all quotes and brackets are accounted for, no deeper level can have any.
    """
    quotes = count_byte(body, b'"')
    brackets = count_byte(body, b"{") + count_byte(body, b"[")
    level = [value]
    for _ in range(_DEEPEST):
        objects = [item for item in level if type(item) is dict]
        lists = [item for item in level if type(item) is list]
        quotes -= 2 * (list(map(type, level)).count(str) + sum(map(len, objects)))
        brackets -= len(objects) + len(lists)
        if quotes == brackets == 0:
            return True
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, objects))]
        if not level:
            return quotes == 0  # the remaining brackets are in text
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise JSONError("a key stands twice in one object")
    return value


def _constant(name: str, nan_is_null: bool) -> None:
    if name != "NaN" or not nan_is_null:
        raise JSONError("Infinity is not JSON" if nan_is_null else "NaN and Infinity are not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JSONError("a number is beyond float64")
    return value
