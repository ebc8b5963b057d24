"""The shares of the loop's turns: what was put off gets a bounded time of each, and one large body is read in each."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

TURN_SECONDS = 0.0005  # for requests that were put off, in each turn of the loop


class Shares:
    """The work that waits for later turns of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._put_off: deque[Callable[[], None]] = deque()
        self._is_turn_due = False
        self._large_reads: list[tuple[int, int, Callable[[], None]]] = []  # a heap
        self._reads = count()

    def put_off(self, go_on: Callable[[], None]) -> None:
        """Call a function in one of the next turns of the loop: those that wait share a bounded time of each turn."""
        self._put_off.append(go_on)
        if not self._is_turn_due:
            self._is_turn_due = True
            self._loop.call_soon(self._take_turns)

    def _take_turns(self) -> None:
        until = time.perf_counter() + TURN_SECONDS
        for _ in range(len(self._put_off)):
            self._put_off.popleft()()
            if time.perf_counter() > until:
                break
        self._is_turn_due = bool(self._put_off)
        if self._is_turn_due:
            self._loop.call_soon(self._take_turns)

    def read_later(self, held: int, resume: Callable[[], None]) -> None:
        """Call a function that lets a caller of large bodies send on: one in each turn of the loop, first the one that
        has sent most, so that bodies become whole one after another and not all of them late.
        """
        heappush(self._large_reads, (-held, next(self._reads), resume))
        if len(self._large_reads) == 1:
            self._loop.call_soon(self._resume_one)

    def _resume_one(self) -> None:
        heappop(self._large_reads)[-1]()
        if self._large_reads:
            self._loop.call_soon(self._resume_one)
