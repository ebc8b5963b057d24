"""The memory of large JSON bodies: estimated before they are parsed, shared by requests, freed step by step."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Any

import numpy as np
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from serve.strict_json import PIECE_ITEMS, count_byte

LARGE = 2**20  # bytes; while a request holds as much, the garbage collector rests
WAIT_SECONDS = 10.0  # for other requests to end
# Bytes of memory for a mark in a body: an item in its list, its column and X; half a text or name; a list; an object.
# Measured with CPython 3.11; a test compares them with what bodies of each kind take.
WEIGHTS = {b",": 56, b'"': 32, b"[": 96, b"{": 200}


def weigh(body: bytes) -> int:
    """Return how many bytes of memory a JSON body may take beside its own, once parsed and encoded."""
    highest = int(np.frombuffer(body, np.uint8).max(initial=0))
    bytes_per_byte = 1 if highest < 0xC4 else 2 if highest < 0xF0 else 4  # of a text, by its widest character
    return bytes_per_byte * len(body) + sum(weight * count_byte(body, mark) for mark, weight in WEIGHTS.items())


class Room:
    """So many bytes for the parsed bodies of all requests; a request waits until it has its share."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._large = 0  # requests that hold at least LARGE bytes
        self._changed = Condition()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Hold some bytes. Raises RequestEntityTooLarge, or ServiceUnavailable when none come free in time."""
        if size > self._size:
            raise RequestEntityTooLarge("too many values for one request, send them in several requests")
        with self._changed:
            if not self._changed.wait_for(lambda: size <= self._free, WAIT_SECONDS):
                raise ServiceUnavailable("too many large requests, try again later", retry_after=1)
            self._change(-size)
        try:
            yield
        finally:
            with self._changed:
                self._change(size)
                self._changed.notify_all()

    def _change(self, size: int) -> None:
        self._free += size
        self._large += (-size >= LARGE) - (size >= LARGE)
        # A full collection visits each list of a parsed body, in which there is no garbage, and no other thread runs.
        if self._large:
            gc.disable()
            gc.collect(0)
        else:
            gc.enable()


def discard(value: Any) -> None:
    """Empty the lists and objects of a parsed body step by step: at once, no other thread would run meanwhile."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            while item:
                waiting += [each for each in item.popitem()[1:] if type(each) in (list, dict)]
        elif type(item) is list:
            while item:
                part = item[-PIECE_ITEMS:]
                del item[-PIECE_ITEMS:]
                waiting += [each for each in part if type(each) in (list, dict) and len(each) > PIECE_ITEMS]
