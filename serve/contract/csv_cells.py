"""The cells of a CSV body, by column: UTF-8, a header row, commas, quotes as in RFC 4180, lines that end in CRLF or LF.

Errors name the place of a fault and quote no cell.
"""

import csv
import io
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import msgspec
import numpy as np

from serve.errors import ApplicationError

BLOCK = 65_536  # bytes of rows that are read in one go, and of the longest row
CELLS = 16_384  # of rows with quotes that are read in one go
LF = b"\n"
_EXPECTED = f"expected quotes as in RFC 4180 and rows of at most {BLOCK} characters"
_NOT_UTF8 = {"": "not UTF-8, expected a CSV in UTF-8"}
_MINUS_ZERO = re.compile(r"-0\s*(,|$)")
_NUMBERS = msgspec.json.Decoder(list[float])
_NUMBERS_OR_NULLS = msgspec.json.Decoder(list[float | None])


@dataclass(frozen=True)
class Cells:
    """A CSV's header and, for each name in it, the cells of the rows that have as many cells.

    rows: their numbers, from 0 below the header.   uneven: the number of cells of every other row.
    """

    header: list[str]
    columns: list[Sequence[str]]
    rows: Sequence[int]
    uneven: dict[int, int]


def read_cells(body: bytes) -> Cells:
    """Read a CSV. A byte-order mark is accepted, empty lines at the end are ignored. Raises ApplicationError."""
    text = _decode(body).removeprefix("\ufeff").rstrip("\r\n")
    cells = _split(text) or _read(text)
    _check_header(cells.header)
    return cells


def read_blocks(body: bytes) -> Iterator[Cells]:
    """Yield the cells of a CSV as `read_cells` does, in blocks of rows of about BLOCK bytes; of the first, the header.

    Neither the memory nor the time in which no other thread runs grows with the body. Raises ApplicationError, also for
    a row longer than BLOCK.
    """
    body = body.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    is_plain = b'"' not in body and body.count(b"\r") == body.count(b"\r\n")
    number = 0
    for cells in _read_plain(body) if is_plain else _read_quoted(body):
        if not number:
            _check_header(cells.header)
        rows = cells.rows
        at = range(number, number + len(rows)) if isinstance(rows, range) else [number + row for row in rows]
        yield Cells(cells.header, cells.columns, at, {number + row: width for row, width in cells.uneven.items()})
        number += len(rows) + len(cells.uneven)


def _read_plain(body: bytes) -> Iterator[Cells]:
    """Yield blocks of a body in which each line is a row, numbered from 0 in each block."""
    header, *more = body[: BLOCK + 1].split(b"\n", 1)
    if len(header) > BLOCK:
        raise ApplicationError({"": f"not a CSV at line 1, {_EXPECTED}"})
    yield _read(_decode(header))
    start = len(header) + 1
    while more and start <= len(body):
        stop = len(body) if len(body) - start <= BLOCK else body.rfind(b"\n", start, start + BLOCK + 1)
        if stop < 0:
            raise ApplicationError({"": f"not a CSV at line {body.count(LF, 0, start) + 1}, {_EXPECTED}"})
        text = _decode(b"%b\n%b" % (header, body[start:stop]))
        yield _split(text) or _read(text)
        start = stop + 1


def _read_quoted(body: bytes) -> Iterator[Cells]:
    rows = _rows(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline=""), BLOCK)
    header = next(rows, [])
    yield _arrange(header, [])
    block: list[list[str]] = []
    size = 0
    for row in rows:
        block.append(row)
        size += 1 + len(row)
        if size > CELLS:
            yield _arrange(header, block)
            block, size = [], 0
    if block:
        yield _arrange(header, block)


def _split(text: str) -> Cells | None:
    """Return the cells of a text without quotes whose rows all have as many cells as the header, else None."""
    if '"' in text:
        return None
    text = text.replace("\r\n", "\n")
    names, end, lines = text.partition("\n")
    header = names.split(",")
    if len(header) == 1 or "\r" in text:
        return None
    n = lines.count("\n") + 1 if end else 0
    # An extra cell marks each line's end: the rows are even if these cells stand at equal distances.
    cells = lines.replace("\n", ",\n,").split(",") if n else []
    stride = len(header) + 1
    if n and (len(cells) != n * stride - 1 or cells[stride - 1 :: stride] != ["\n"] * (n - 1)):
        return None
    return Cells(header, [cells[start::stride] for start in range(len(header))], range(n), {})


def _read(text: str) -> Cells:
    header, *lines = list(_rows(io.StringIO(f"{text}\n" if text else "", newline=""), len(text) + 1)) or [[]]
    return _arrange(header, lines)


def _rows(stream: TextIO, longest: int) -> Iterator[list[str]]:
    """Yield the rows of a CSV, none longer than so many characters. Raises ApplicationError."""
    size = 0

    def read_lines() -> Iterator[str]:
        nonlocal size
        while line := stream.readline(longest + 1):
            size += len(line)
            if size > longest:
                raise csv.Error
            yield line

    reader = csv.reader(read_lines(), strict=True)
    try:
        for row in reader:
            size = 0
            yield row
    except csv.Error:
        line = reader.line_num + (size > longest)
        raise ApplicationError({"": f"not a CSV at line {line}, {_EXPECTED}"}) from None
    except UnicodeDecodeError:
        raise ApplicationError(_NOT_UTF8) from None


def _arrange(header: list[str], lines: list[list[str]]) -> Cells:
    rows = [row for row, line in enumerate(lines) if len(line) == len(header)]
    columns = list(zip(*(lines[row] for row in rows), strict=True)) or [()] * len(header)
    uneven = {row: len(line) for row, line in enumerate(lines) if len(line) != len(header)}
    return Cells(header, columns, rows, uneven)


def _decode(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ApplicationError(_NOT_UTF8) from None


def _check_header(header: list[str]) -> None:
    if not header:
        raise ApplicationError({"": "no header, expected the names of the columns in the first line"})
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        raise ApplicationError({"": "the header is one column, expected commas between the cells"})


def read_decimals(cells: Sequence[str]) -> np.ndarray | None:
    """Return (n,) float64, NaN where a cell is empty; None unless every other cell is a decimal that JSON allows.

    A list with any other cell is no JSON, or has too many items or nulls.
    """
    empty = cells.count("")
    text = ",".join([cell or "null" for cell in cells] if empty else cells)
    if "-0" in text and _MINUS_ZERO.search(text):
        return None  # JSON reads it as an integer, which has no minus zero
    try:
        numbers = (_NUMBERS_OR_NULLS if empty else _NUMBERS).decode(f"[{text}]")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if len(numbers) != len(cells) or (empty and numbers.count(None) != empty):
        return None
    return as_floats(numbers, bool(empty))


def as_floats(numbers: Sequence[Any], has_none: bool) -> np.ndarray:
    """Return (n,) float64 of ints, floats and None, which becomes NaN. Raises OverflowError or struct.error."""
    if has_none:
        return np.array(numbers, dtype=np.float64)
    return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers))  # twice as fast
