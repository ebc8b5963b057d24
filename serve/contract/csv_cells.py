"""The cells of a CSV body, by column: UTF-8, a header row, commas, quotes as in RFC 4180, lines that end in CRLF or LF.

Errors name the place of a fault and quote no cell.
"""

import csv
import io
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from serve.errors import ApplicationError

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
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ApplicationError({"": "not UTF-8, expected a CSV in UTF-8"}) from None
    cells = _split(text) or _read(text)
    if not cells.header:
        raise ApplicationError({"": "no header, expected the names of the columns in the first line"})
    if len(cells.header) == 1 and re.search(r"[;\t|]", cells.header[0]):
        raise ApplicationError({"": "the header is one column, expected commas between the cells"})
    return cells


def _split(text: str) -> Cells | None:
    """Return the cells of a text without quotes whose rows all have as many cells as the header, else None."""
    if '"' in text:
        return None
    text = text.replace("\r\n", "\n").rstrip("\n")
    names, _, lines = text.partition("\n")
    header = names.split(",")
    if len(header) == 1 or "\r" in text:
        return None
    n = lines.count("\n") + 1 if lines else 0
    # An extra cell marks each line's end: the rows are even if these cells stand at equal distances.
    cells = lines.replace("\n", ",\n,").split(",") if n else []
    stride = len(header) + 1
    if n and (len(cells) != n * stride - 1 or cells[stride - 1 :: stride] != ["\n"] * (n - 1)):
        return None
    return Cells(header, [cells[start::stride] for start in range(len(header))], range(n), {})


def _read(text: str) -> Cells:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header, *lines = list(reader) or [[]]
    except csv.Error:
        where = f"at line {reader.line_num}"
        raise ApplicationError({"": f"not a CSV {where}, expected quotes as in RFC 4180 and no endless cell"}) from None
    while lines and not lines[-1]:
        lines.pop()  # an empty line in between is a row, so that row numbers are the file's
    rows = [row for row, line in enumerate(lines) if len(line) == len(header)]
    columns = list(zip(*(lines[row] for row in rows), strict=True)) or [()] * len(header)
    uneven = {row: len(line) for row, line in enumerate(lines) if len(line) != len(header)}
    return Cells(header, columns, rows, uneven)


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
