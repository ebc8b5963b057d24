"""Cuts the bytes of a caller into pieces, so that one piece is little work and ends at most one request.

The cuts are no judgement: the parser reads the same bytes in the same order, and refuses what is not HTTP.
Source: RFC 9112, section 7.1 (chunked transfer coding).
"""

import re

from serve.http.head import END

HEAD_PIECE = 2048  # bytes at the beginning of a head: most heads are one piece
LINE_PIECE = 256  # bytes of the rest, of a chunk's first line, and of trailers: 64 headers of four bytes
BODY_PIECE = 65_536  # bytes of a body, or of the data of a chunk
_SIZE_BYTES = 17  # at the beginning of a chunk's first line: more digits than 64 bits have
_match_size = re.compile(rb"[0-9A-Fa-f]{1,16}(?=[\r; \t])").match


class Pieces:
    """What came and was not handed to the parser yet. The reader says what follows a head."""

    def __init__(self) -> None:
        self._data, self._at = b"", 0
        self._next = Pieces._head  # not a bound method: that would be a cycle for the garbage collector
        self._left = 0  # bytes of the body, or of a chunk and its line end
        self._before = b""  # the end of the unfinished head or line that was handed out
        self.announced = 0  # bytes of the chunks whose sizes were read

    @property
    def waiting(self) -> int:
        """The bytes of memory that are held for what waits, 0 if nothing does."""
        return len(self._data)

    def add(self, data: bytes) -> None:
        """Add bytes of the caller behind those that wait."""
        self._data, self._at = self._data[self._at :] + data if self._data else data, 0

    def take(self) -> bytes:
        """Return the next piece of what waits."""
        data, start = self._data, self._at
        end = self._at = min(self._next(self), len(data))
        if end == len(data):
            self._data, self._at = b"", 0
        return data[start:end] if start or end < len(data) else data

    def expect_head(self) -> None:
        """Cut a head next."""
        self._next, self._before = Pieces._head, b""

    def expect_body(self, size: int) -> None:
        """Cut a body of this many bytes next, then a head."""
        if size:
            self._next, self._left = Pieces._body, size

    def expect_chunks(self) -> None:
        """Cut chunks next, then trailers, then a head."""
        self._next, self._before, self.announced = Pieces._size, b"", 0

    # Each returns the end of the next piece, and sets what follows it.

    def _head(self) -> int:
        """End after an empty line, also one that began in the piece before."""
        start, before = self._at, self._before
        size = LINE_PIECE if before else HEAD_PIECE
        end = (before + self._data[start : start + size]).find(END)
        if end >= 0:
            self.expect_head()
            return start - len(before) + end + len(END)
        end = start + size
        self._before = (before + self._data[start:end])[-3:]
        return end

    def _body(self) -> int:
        size = min(self._left, BODY_PIECE, len(self._data) - self._at)
        self._left -= size
        if not self._left:
            self.expect_head()
        return self._at + size

    def _size(self) -> int:
        """End after the line that begins a chunk; after the last chunk come trailers, which end as a head does."""
        start, before = self._at, self._before
        line = before + self._data[start : start + LINE_PIECE]
        end = line.find(b"\r\n")
        if end < 0:
            self._before = line[:_SIZE_BYTES] + line[_SIZE_BYTES:][-1:]
            return start + LINE_PIECE
        match = _match_size(line)
        size = int(match[0], 16) if match else 0
        if size:
            self.announced += size
            self._next, self._left = Pieces._chunk, size + 2
        else:
            self._next, self._before = Pieces._head, b"\r\n"
        return start - len(before) + end + 2

    def _chunk(self) -> int:
        size = min(self._left, BODY_PIECE, len(self._data) - self._at)
        self._left -= size
        if not self._left:
            self._next, self._before = Pieces._size, b""
        return self._at + size
