"""Where a CSV can be cut: blocks of whole rows, each of which can be read by itself.

UTF-8, a header row, commas, lines that end in LF or CRLF, quotes as in RFC 4180: a cell is quoted from its first
character on, or not at all. Then a line's end stands within a cell exactly where the quotes before it are odd.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from loan_approval.errors import DataError

BLOCK = 2**21  # bytes: what one worker holds as text at a time
LONGEST_ROW = 2**24
_BOM = b"\xef\xbb\xbf"
_LF, _CR, _QUOTE, _COMMA = b"\n"[0], b"\r"[0], b'"'[0], b","[0]


@dataclass(frozen=True)
class Block:
    """Some rows of a file: the bytes from `offset`, as many as `size`."""

    offset: int
    size: int
    rows: int


def find_blocks(file: BinaryIO, size: int, where: str) -> tuple[tuple[str, ...], list[Block]]:
    """Return a CSV's header and its blocks, in order. Empty lines at the end are no rows. Raises DataError."""
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
    """Yield where some lines begin, their text, and where in it each of them ends; the header is one of them."""
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
            _check_form(text[:stop], ends, where, lines)
            yield offset, text[:stop], ends
            offset, text, lines = offset + stop, text[stop:], lines + len(ends)
        elif last or len(text) > LONGEST_ROW:
            raise DataError(f"{where}: line {lines + 1}: a quote that is never closed, or over {LONGEST_ROW:,} bytes")


def _content_end(file: BinaryIO, size: int) -> int:
    """Return where the file ends but for line ends."""
    while size:
        begin = max(0, size - 65_536)
        file.seek(begin)
        kept = len(file.read(size - begin).rstrip(b"\r\n"))
        if kept:
            return begin + kept
        size = begin
    return 0


def _row_ends(text: bytes, last: bool) -> np.ndarray:
    """Return where each row of the text ends; its beginning begins one. last: the end of the text ends one too."""
    bytes_ = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(bytes_ == _LF) + 1
    quotes = np.flatnonzero(bytes_ == _QUOTE) if _QUOTE in text else np.array([], np.int64)
    if len(quotes):
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    if last and len(quotes) % 2 == 0 and (not len(ends) or ends[-1] < len(text)):
        ends = np.append(ends, len(text))
    return ends[: 0 if last and len(quotes) % 2 else None]


def _check_form(text: bytes, ends: np.ndarray, where: str, lines: int) -> None:
    if text.count(b"\r") != text.count(b"\r\n"):
        raise DataError(f"{where}: line {lines + 1} or later: ends in CR alone, expected LF or CRLF")
    if _QUOTE not in text:
        return
    bytes_ = np.frombuffer(text, np.uint8)
    opening = np.flatnonzero(bytes_ == _QUOTE)[::2]
    opening = opening[opening > 0]
    astray = opening[~np.isin(bytes_[opening - 1], (_COMMA, _LF, _QUOTE))]
    if len(astray):
        line = lines + 1 + int(np.searchsorted(ends, astray[0], side="right"))
        raise DataError(f"{where}: line {line}: a quote within a cell, expected quotes as in RFC 4180")


def ends_quotes_with_cells(text: bytes) -> bool:
    """Whether each quoted cell of a block ends where its quotes do; readers differ on any other."""
    if _QUOTE not in text:
        return True
    bytes_ = np.frombuffer(text, np.uint8)
    after = np.flatnonzero(bytes_ == _QUOTE)[1::2] + 1
    return bool(np.isin(bytes_[after[after < len(text)]], (_COMMA, _CR, _LF, _QUOTE)).all())


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
