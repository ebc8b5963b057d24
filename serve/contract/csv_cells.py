"""The cells of a CSV body, by column: UTF-8, a header row, commas, quotes as in RFC 4180, lines that end in CRLF or LF.

Nothing here knows what a cell means; an error says where the fault is and quotes no cell.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from serve.errors import ApplicationError


@dataclass(frozen=True)
class Cells:
    """A CSV's header and, for each name in it, the cells of the even rows.

    rows: their numbers, from 0 below the header.   uneven: the number of cells of each row that has more or fewer.
    """

    header: list[str]
    columns: list[Sequence[str]]
    rows: Sequence[int]
    uneven: dict[int, int] = field(default_factory=dict)


def read_cells(body: bytes) -> Cells:
    """Read a CSV; a byte-order mark is accepted, empty lines at the end are no rows. Raises ApplicationError."""
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
    """Return the cells of a text that has no quotes and only even rows, None of any other."""
    if '"' in text:
        return None
    text = text.replace("\r\n", "\n").rstrip("\n")
    names, _, lines = text.partition("\n")
    header = names.split(",")
    if len(header) == 1 or "\r" in text:
        return None
    n = lines.count("\n") + 1 if lines else 0
    # A cell of its own marks each line's end: the rows are even when these cells stand at even distances.
    cells = lines.replace("\n", ",\n,").split(",") if n else []
    stride = len(header) + 1
    if n and (len(cells) != n * stride - 1 or cells[stride - 1 :: stride] != ["\n"] * (n - 1)):
        return None
    return Cells(header, [cells[start::stride] for start in range(len(header))], range(n))


def _read(text: str) -> Cells:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header, *lines = list(reader) or [[]]
    except csv.Error:
        where = f"at line {reader.line_num}"
        raise ApplicationError({"": f"not a CSV {where}, expected quotes as in RFC 4180 and no endless cell"}) from None
    while lines and not lines[-1]:
        lines.pop()  # one in between is a row, so that row numbers stay the file's
    rows = [row for row, line in enumerate(lines) if len(line) == len(header)]
    columns = list(zip(*(lines[row] for row in rows), strict=True)) or [()] * len(header)
    uneven = {row: len(line) for row, line in enumerate(lines) if len(line) != len(header)}
    return Cells(header, columns, rows, uneven)
