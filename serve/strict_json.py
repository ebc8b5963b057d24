"""Reads and writes JSON strictly: refuses what two readers could understand differently."""

import json
import math
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from serve.errors import JSONError

PIECE = 65_536  # bytes that are parsed in one go, in which no other thread can run
_DEEPEST = 32  # levels of a body in pieces and for the quick reader; the slow one goes as deep as the stack allows
_LONGEST_PREFIX = 4096  # bytes that open the containers of a piece again
_DECODER = msgspec.json.Decoder()
_TWICE, _TOO_DEEP = "a key stands twice in one object", "the body is nested too deep"
_STEPS = np.zeros(256, np.int8)  # how a byte outside texts changes the depth
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_IS_MARK = _STEPS != 0
_IS_MARK[list(b'",')] = True
_CLOSING = bytes.maketrans(b"[{", b"]}")


def loads(body: bytes, nan_is_null: bool = False) -> Any:
    """Parse a UTF-8 body. Raises JSONError for all that RFC 8259 forbids or leaves open: NaN, Infinity, numbers beyond
    float64, duplicate keys, a byte-order mark, lone surrogates, nesting or digits without end.

    nan_is_null: NaN is read as null, for protocols whose clients write it for a missing value.
    The result is that of `read_slowly`. A large body is read in pieces, between which other threads run; it may be
    nested 32 levels deep, and each of its numbers, texts and names ends within PIECE bytes.
    """
    return _read(body, nan_is_null) if len(body) <= PIECE else _read_in_pieces(body, nan_is_null)


def _read(body: bytes, nan_is_null: bool) -> Any:
    """Read a body in one go; msgspec is tried first because it is quicker."""
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
        value = json.loads(text, object_pairs_hook=_object, parse_constant=constant, parse_float=_float)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate can't be encoded
    except UnicodeError:
        raise JSONError("the body is not valid UTF-8 text") from None
    except RecursionError:
        raise JSONError(_TOO_DEEP) from None
    except ValueError as err:
        where = f" at character {err.pos + offset}" if isinstance(err, json.JSONDecodeError) else ""
        raise JSONError(f"the body is not JSON{where}") from None
    return value


def _read_in_pieces(body: bytes, nan_is_null: bool) -> Any:
    """Parse a body that is cut at commas between items; each piece gets the brackets that are open at both its ends."""
    whole: Any = None
    start, opened = 0, b""
    while True:
        window = body[start : start + PIECE]
        size, still_open = len(window), b""
        if start + size < len(body):
            size, still_open = _find_cut(window, opened)
        piece = window[:size]
        before = _open_again(whole, opened)
        text = before + piece + still_open[::-1].translate(_CLOSING)
        try:
            # A piece follows a comma: without an item of its own it would be valid only by the added brackets.
            if start and piece.lstrip(b" \t\r\n")[:1] in (b"", b"]", b"}"):
                raise JSONError("the body is not JSON")
            value = _read(text, nan_is_null)
        except JSONError:
            characters = np.count_nonzero(np.frombuffer(body[:start], np.int8) >= -64)  # no continuation bytes
            read_slowly(text, nan_is_null, characters - len(before.decode()))
            raise
        whole = _join(whole, value, opened) if start else value
        start, opened = start + size + 1, still_open
        if start > len(body):
            return whole


def _find_cut(window: bytes, opened: bytes) -> tuple[int, bytes]:
    """Return where the last comma between two items stands, and the brackets that are open there, outermost first.

    opened: those that are open where the window begins, outside a text.
    """
    plain = window.replace(rb"\\", b"..").replace(rb"\"", b"..") if b"\\" in window else window
    codes = np.frombuffer(plain, np.uint8)
    places = np.flatnonzero(_IS_MARK[codes])
    places = places[np.cumsum(codes[places] == ord('"')) % 2 == 0]  # outside texts
    marks = codes[places]
    depth = len(opened) + np.cumsum(_STEPS[marks])
    if depth.max(initial=0) > _DEEPEST:
        raise JSONError(_TOO_DEEP)
    commas = np.flatnonzero((marks == ord(",")) & (depth > 0))
    if not len(commas):
        raise JSONError(f"an item of the body is longer than {PIECE} bytes, or the body is not JSON")
    last = commas[-1]
    marks, depth = marks[: last + 1], depth[: last + 1]
    kept = opened[: max(0, depth.min())]
    is_opening = _STEPS[marks] > 0
    levels = range(len(kept) + 1, depth[-1] + 1)
    return int(places[last]), kept + bytes(marks[np.flatnonzero(is_opening & (depth == level))[-1]] for level in levels)


def _open_again(whole: Any, opened: bytes) -> bytes:
    """Return the beginning of a piece: the open containers, each at its last item."""
    parts = []
    for number, bracket in enumerate(opened, 1):
        parts.append(b"[" if bracket == ord("[") else b"{")
        if number < len(opened):
            key = next(reversed(whole)) if type(whole) is dict else -1
            parts.append(dumps(key) + b":" if type(whole) is dict else b"")
            whole = whole[key]
    before = b"".join(parts)
    if len(before) > _LONGEST_PREFIX:
        raise JSONError(_TOO_DEEP)
    return before


def _join(whole: Any, value: Any, opened: bytes) -> Any:
    """Add to a value what the next piece holds of its open containers, and return it."""
    top = whole
    for number in range(1, len(opened) + 1):
        key = first = None
        if type(top) is list:
            inner = top[-1]
            if number < len(opened):
                first, value = value[0], value[1:]
            top += value
        else:
            inner = top[key := next(reversed(top))]
            if number < len(opened):
                first = value.pop(key)
            expected = len(top) + len(value)
            top.update(value)
            if len(top) < expected:
                raise JSONError(_TWICE)
        top, value = inner, first
    return whole


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
        raise JSONError(_TWICE)
    return value


def _constant(name: str, nan_is_null: bool) -> None:
    if name != "NaN" or not nan_is_null:
        raise JSONError("Infinity is not JSON" if nan_is_null else "NaN and Infinity are not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JSONError("a number is beyond float64")
    return value
