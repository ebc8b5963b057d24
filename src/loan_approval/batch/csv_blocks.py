"""Cuts a CSV into blocks of whole rows, each of which can be read by itself.

UTF-8, a header row, commas, lines that end in LF or CRLF, quotes as in RFC 4180: a cell is quoted from its first
character on, or not at all. So a line end lies within a cell exactly where the number of quotes before it is odd.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from loan_approval.errors import DataError

BLOCK = 2**21  # bytes of text that one worker holds at a time
LONGEST_ROW = 2**24
_BOM = b"\xef\xbb\xbf"
_LF, _CR, _QUOTE, _COMMA = b"\n"[0], b"\r"[0], b'"'[0], b","[0]


@dataclass(frozen=True)
class Block:
    """Some rows of a file: `size` bytes from `offset`."""

    offset: int
    size: int
    rows: int


def find_blocks(file: BinaryIO, size: int, where: str) -> tuple[tuple[str, ...], list[Block]]:
    """Return a CSV's header and its blocks, in order, without empty lines at the end. Raises DataError."""
    header: tuple[str, ...] = ()
    blocks: list[Block] = []
    for offset, text, ends in _whole_rows(file, _content_end(file, size), where):
        first = 0
        if not header:
            first, ends = int(ends[0]), ends[1:]
            header = _read_header(text[:first], where)
        if len(ends):
            blocks.append(Block(offset + first, len(text) - first, len(ends)))
    if not header:
        raise DataError(f"{where}: the file is empty, expected a header")
    return header, blocks


def _whole_rows(file: BinaryIO, end: int, where: str) -> Iterator[tuple[int, bytes, np.ndarray]]:
    """Yield the offset and text of some lines, header included, and where in the text each line ends."""
    file.seek(0)
    offset = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
    file.seek(offset)
    text, lines = b"", 0
    while offset < end:
        text += file.read(min(BLOCK, end - offset - len(text)))
        last = offset + len(text) >= end
        ends = _row_ends(text, last)
        if len(ends):
            stop = int(ends[-1])
            _check_form(text[:stop], where, lines)
            yield offset, text[:stop], ends
            offset, text, lines = offset + stop, text[stop:], lines + text.count(b"\n", 0, stop)
        elif last or len(text) > LONGEST_ROW:
            raise DataError(
                f"{where}: line {lines + 1} or later: a quote that is never closed, or over {LONGEST_ROW:,} bytes"
            )


def _content_end(file: BinaryIO, size: int) -> int:
    """Return where the file ends without its last line ends."""
    while size:
        begin = max(0, size - 65_536)
        file.seek(begin)
        kept = len(file.read(size - begin).rstrip(b"\r\n"))
        if kept:
            return begin + kept
        size = begin
    return 0


def _row_ends(text: bytes, last: bool) -> np.ndarray:
    """Return where each row of a text of whole rows ends. last: the end of the text ends a row too."""
    ends, quotes = _positions(text, _LF) + 1, _positions(text, _QUOTE)
    if len(quotes):
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if not last:
        return ends
    if len(quotes) % 2:  # a quote that is never closed
        return ends[:0]
    return ends if len(ends) and ends[-1] == len(text) else np.append(ends, len(text))


def _positions(text: bytes, character: int) -> np.ndarray:
    if character not in text:
        return np.array([], np.int64)
    return np.flatnonzero(np.frombuffer(text, np.uint8) == character)


def _check_form(text: bytes, where: str, lines: int) -> None:
    """lines: in the file before the text."""
    if text.count(b"\r") != text.count(b"\r\n"):
        raise DataError(f"{where}: line {lines + 1} or later: ends in CR alone, expected LF or CRLF")
    opening = _positions(text, _QUOTE)[::2]
    opening = opening[opening > 0]
    astray = opening[~np.isin(np.frombuffer(text, np.uint8)[opening - 1], (_COMMA, _LF, _QUOTE))]
    if len(astray):
        line = lines + 1 + text.count(b"\n", 0, int(astray[0]))
        raise DataError(f"{where}: line {line}: a quote within a cell, expected quotes as in RFC 4180")


def ends_quotes_with_cells(text: bytes) -> bool:
    """Return whether each quoted cell of a block ends where its quotes do; CSV readers differ on any other."""
    after = _positions(text, _QUOTE)[1::2] + 1
    after = after[after < len(text)]
    return bool(np.isin(np.frombuffer(text, np.uint8)[after], (_COMMA, _CR, _LF, _QUOTE)).all())


def _read_header(line: bytes, where: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader(io.StringIO(line.decode(), newline=""), strict=True), [])
    except (UnicodeDecodeError, csv.Error) as err:
        raise DataError(f"{where}: the header is not a line of a CSV in UTF-8") from err
    if not cells:
        raise DataError(f"{where}: the first line is empty, expected a header")
    if len(cells) == 1 and re.search(r"[;\t|]", cells[0]):
        raise DataError(f"{where}: the header is one column, expected commas between the cells")
    return tuple(cells)
