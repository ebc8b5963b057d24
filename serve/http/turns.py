"""What a connection reads in one turn of the loop: one request at most, in a bounded number of pieces.

The rest waits for the next turn, so that a caller that sends much is answered between the others and not before them.
"""

import asyncio

from serve.http.front import MOST_UNREAD, Front
from serve.http.reader import NO_ROOM, RequestReader

PIECES = 64  # of one turn
LARGE_READ = 65_536  # bytes
CUT_SHORT = (400, "the request ended early")


class TurnReader(RequestReader):
    """Reads in turns. A subclass defines _answer(request), _refuse(status, text) and _end()."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.closing = False
        self._transport: asyncio.Transport | None = None
        self._busy = False  # the application has a request of this connection
        self._paused = False  # the caller does not read
        self._ended = False  # the caller sends no more
        self._unread = 0  # bytes that were left to a later turn
        self._has_turn = False  # one of the next turns of the loop is this connection's
        self._reads_later = False  # reading pauses after a large read

    def _take_turn(self) -> None:
        """Read until a request is whole and answer it; what is left of a turn's share waits for another turn."""
        for _ in range(PIECES):
            if self.closing or self._busy or self._paused or self.fault or not self.pieces.waiting:
                break
            request = self.read()
            if request:
                self._answer(request)
                break
        if self.closing:
            return
        waiting = self.pieces.waiting
        if waiting or self._unread:
            self._leave_unread(waiting)
        if self._busy or self._paused:
            return
        if self.fault:
            self._refuse(*self.fault)
        elif waiting and not self._has_turn:
            self._has_turn = True
            self.front.shares.put_off(self._go_on)
        elif self._ended and not waiting:
            self._refuse(*CUT_SHORT) if self.in_request else self._end()
        elif self.in_request and not waiting:
            self.front.half_sent.setdefault(self)

    def _go_on(self) -> None:
        self._has_turn = False
        if not (self.closing or self._busy or self._paused):
            self._take_turn()

    def _leave_unread(self, size: int) -> None:
        """Count the bytes that wait for a later turn; meanwhile no more are read from the caller."""
        self.front.unread += size - self._unread
        self._unread = size
        if self._transport is None or self.closing:
            return
        if size:
            self._transport.pause_reading()
        else:
            self._resume_reading()
        if self.front.unread > MOST_UNREAD and size and not self._busy:
            self.fault = self.fault or NO_ROOM

    def _read_later(self) -> None:
        """Pause after a large read: a read takes as much as came, and many of them would fill a turn of the loop."""
        if not self._reads_later:
            self._reads_later = True
            self._transport.pause_reading()
            self.front.shares.read_later(self.held, self._read_on)

    def _read_on(self) -> None:
        self._reads_later = False
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._transport and not (self._paused or self._unread or self._reads_later or self._transport.is_closing()):
            self._transport.resume_reading()
