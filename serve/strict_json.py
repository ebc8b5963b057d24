"""Reads and writes JSON strictly: refuses what two readers could understand differently."""

import json
import math
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from serve.errors import JSONError
from serve.json_pieces import DEEPEST, TOO_DEEP, TWICE, close, find_cut, join, open_again

PIECE = 65_536  # bytes that are parsed in one go, in which no other thread can run
PIECE_ITEMS = 4096  # of a list that are written in one go
_DECODER = msgspec.json.Decoder()
_MOST_DIGITS = 4300  # of a whole number, the sign included; Python itself reads no more digits


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


def read_slowly(body: bytes, nan_is_null: bool = False, offset: int = 0) -> Any:
    """Parse a UTF-8 body as `loads` does, with the standard library, whose hooks see duplicate keys.

    offset: added to the position in an error.
    """
    try:
        text = body.decode("utf-8")
        constant = partial(_constant, nan_is_null=nan_is_null)
        value = json.loads(text, object_pairs_hook=_object, parse_constant=constant, parse_float=_float, parse_int=_int)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate can't be encoded
    except UnicodeError:
        raise JSONError("the body is not valid UTF-8 text") from None
    except RecursionError:
        raise JSONError(TOO_DEEP) from None
    except json.JSONDecodeError as err:
        raise JSONError(f"the body is not JSON at character {err.pos + offset}") from None
    return value


def loads_in_pieces(body: bytes, nan_is_null: bool = False) -> Any:
    """Parse a body as `loads` does, a large one in pieces, between which other threads run.

    It is cut at commas between items; each piece gets the brackets that are open at both its ends. A large body may be
    nested 32 levels deep, its numbers, texts and names end within PIECE bytes, and an object has at most 10,000 names.
    """
    if len(body) <= PIECE:
        return loads(body, nan_is_null)
    whole: Any = None
    start, opened = 0, b""
    while True:
        window = body[start : start + PIECE]
        size, still_open = len(window), b""
        if start + size < len(body):
            size, still_open = find_cut(window, opened)
        piece = window[:size]
        before = open_again(whole, opened)
        text = before + piece + close(still_open)
        try:
            # A piece follows a comma: without an item of its own it would be valid only by the added brackets.
            if start and piece.lstrip(b" \t\r\n")[:1] in (b"", b"]", b"}"):
                raise JSONError("the body is not JSON")
            value = loads(text, nan_is_null)
        except JSONError:
            characters = np.count_nonzero(np.frombuffer(body[:start], np.int8) >= -64)  # no continuation bytes
            read_slowly(text, nan_is_null, characters - len(before.decode()))
            raise
        whole = join(whole, value, opened) if start else value
        start, opened = start + size + 1, still_open
        if start > len(body):
            return whole


def count_byte(body: bytes, character: bytes) -> int:
    """Return how often an ASCII character occurs in a body."""
    # numpy takes some microseconds to start, but then its speed does not depend on the number of hits.
    if len(body) < 4096:
        return body.count(character)
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(character)))


def dumps(value: Any) -> bytes:
    """Return compact UTF-8 JSON; NaN and infinities raise ValueError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def dumps_in_pieces(value: Any) -> bytes:
    """Return what `dumps` does; other threads run between the pieces of long lists in objects and lists."""
    if type(value) is dict:
        return b"{%b}" % b",".join(dumps(key) + b":" + dumps_in_pieces(item) for key, item in value.items())
    if type(value) is not list:
        return dumps(value)
    if len(value) <= PIECE_ITEMS:
        return b"[%b]" % b",".join(map(dumps_in_pieces, value))
    parts = (dumps(value[start : start + PIECE_ITEMS])[1:-1] for start in range(0, len(value), PIECE_ITEMS))
    return b"[%b]" % b",".join(parts)


def _is_all(value: Any, body: bytes) -> bool:
    """Whether a value read from a body without backslashes has every key of it, at most DEEPEST levels deep.

    Each key and each text has two quotes, so a key that was overwritten by its duplicate leaves quotes that no value
    accounts for. When all quotes and brackets are accounted for, no deeper level can have any.
    """
    quotes = count_byte(body, b'"')
    brackets = count_byte(body, b"{") + count_byte(body, b"[")
    level = [value]
    for _ in range(DEEPEST):
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
        raise JSONError(TWICE)
    return value


def _constant(name: str, nan_is_null: bool) -> None:
    if name != "NaN" or not nan_is_null:
        raise JSONError("Infinity is not JSON" if nan_is_null else "NaN and Infinity are not JSON")


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise JSONError("the body is not JSON, a number has too many digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JSONError("a number is beyond float64")
    return value
