"""Cuts a large JSON body at commas, and joins the values that its pieces hold."""

import json
from typing import Any

import numpy as np

from serve.errors import JSONError

DEEPEST = 32  # levels of a body in pieces
MOST_NAMES = 10_000  # of one object of a body in pieces: a larger one takes long to make, and longer to grow
LONGEST_PREFIX = 4096  # bytes that open the containers of a piece again
TWICE, TOO_DEEP = "a key stands twice in one object", "the body is nested too deep"
_STEPS = np.zeros(256, np.int8)  # how a byte outside texts changes the depth
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_IS_MARK = _STEPS != 0
_IS_MARK[list(b'",')] = True
_CLOSING = bytes.maketrans(b"[{", b"]}")


def find_cut(window: bytes, opened: bytes) -> tuple[int, bytes]:
    """Return where the last comma between two items stands, and the brackets that are open there, outermost first.

    opened: those that are open where the window begins, outside a text.
    """
    plain = window.replace(rb"\\", b"..").replace(rb"\"", b"..") if b"\\" in window else window
    codes = np.frombuffer(plain, np.uint8)
    places = np.flatnonzero(_IS_MARK[codes])
    places = places[np.cumsum(codes[places] == ord('"')) % 2 == 0]  # outside texts
    marks = codes[places]
    depth = len(opened) + np.cumsum(_STEPS[marks])
    if depth.max(initial=0) > DEEPEST:
        raise JSONError(TOO_DEEP)
    commas = np.flatnonzero((marks == ord(",")) & (depth > 0))
    if not len(commas):
        raise JSONError(f"an item of the body is longer than {len(window)} bytes, or the body is not JSON")
    last = commas[-1]
    marks, depth = marks[: last + 1], depth[: last + 1]
    kept = opened[: max(0, depth.min())]
    is_opening = _STEPS[marks] > 0
    levels = range(len(kept) + 1, depth[-1] + 1)
    return int(places[last]), kept + bytes(marks[np.flatnonzero(is_opening & (depth == level))[-1]] for level in levels)


def open_again(whole: Any, opened: bytes) -> bytes:
    """Return the beginning of a piece: the open containers, each at its last item."""
    parts = []
    for number, bracket in enumerate(opened, 1):
        parts.append(b"[" if bracket == ord("[") else b"{")
        if number < len(opened):
            key = next(reversed(whole)) if type(whole) is dict else -1
            parts.append(json.dumps(key, ensure_ascii=False).encode() + b":" if type(whole) is dict else b"")
            whole = whole[key]
    before = b"".join(parts)
    if len(before) > LONGEST_PREFIX:
        raise JSONError(TOO_DEEP)
    return before


def close(opened: bytes) -> bytes:
    """Return the end of a piece: the closing brackets, innermost first."""
    return opened[::-1].translate(_CLOSING)


def join(whole: Any, value: Any, opened: bytes) -> Any:
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
            if expected > MOST_NAMES:
                raise JSONError(f"an object of the body has more than {MOST_NAMES} names")
            top.update(value)
            if len(top) < expected:
                raise JSONError(TWICE)
        top, value = inner, first
    return whole
