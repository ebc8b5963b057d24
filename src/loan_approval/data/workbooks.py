"""Reads Excel workbooks, new and old: the rows of a sheet as text."""

import io
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loan_approval.data.rows import Row, is_note, unify_line_ends
from loan_approval.errors import DataError
from serve.contract.numbers import count

MOST_CELLS = 50_000_000  # between the first and the last cell of a sheet, at some 32 bytes each
_PLACE = re.compile(rb'<(?:\w+:)?c [^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_ERROR = re.compile(rb"<(?:\w+:)?c [^>]*?\bt=[\"']e[\"']")
_is_sheet = re.compile(r"(?i)xl/worksheets/[^/]+\.xml").match
ERRORS = "; read as empty, having an error such as #N/A: {}"


def is_excel(data: bytes) -> bool:
    """Return whether a file that begins so is a workbook: a zip archive, or an old .xls, a compound file."""
    return data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))


def read_excel(data: bytes) -> tuple[list[Row], list[str]]:
    """Return the rows of the first sheet that has some, and remarks on what was read. Raises DataError."""
    import python_calamine

    errors = _check_extent(data)
    try:
        with _without_stderr():
            book = python_calamine.load_workbook(io.BytesIO(data))
        for name in book.sheet_names:
            table = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            rows = [Row(map(cell_text, values), n) for n, values in enumerate(table, 1)]
            if rows := [row for row in rows if any(row)]:
                width = max(i + 1 for row in rows for i, cell in enumerate(row) if cell)
                others = ", ".join(each for each in book.sheet_names if each != name)
                passed = f", the first with cells; not read: {others} (to read another, move it to the front)"
                remarks = [f"read as Excel, sheet {name!r}{passed * bool(others)}{errors}", *_count_empty(rows)]
                return _cut_notes([Row(row[:width], row.line) for row in rows]), remarks
    except BaseException as err:
        # The reader is written in Rust: a damaged file makes it panic, which is no Exception in Python.
        if not isinstance(err, python_calamine.CalamineError) and type(err).__name__ != "PanicException":
            raise
        raise DataError(f"not an Excel file that can be read, it may be damaged: {err}") from err
    raise DataError("no sheet has a row")


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Send what other languages write to stderr nowhere: Rust tells of a panic there, too."""
    with Path(os.devnull).open("wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _count_empty(rows: Sequence[Row]) -> list[str]:
    passed = rows[-1].line - rows[0].line + 1 - len(rows)
    return [f"rows passed over, as every cell is empty or has an error: {passed}"] if passed else []


def _cut_notes(rows: list[Row]) -> list[Row]:
    """Return the rows, each note at the end as wide as a text file has it: one cell.

    What stands in the first column of another row too is a value, not a note.
    """
    firsts = Counter(row[0] for row in rows)
    for i in reversed(range(1, len(rows))):
        if not is_note(rows[i]) or firsts[rows[i][0]] > 1:
            break
        rows[i] = Row(rows[i][:1], rows[i].line)
    return rows


def cell_text(value: Any) -> str:
    """Return a cell as a CSV has it: nothing for a missing value, whole numbers without a point, plain line ends."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else unify_line_ends(str(value).strip())


def _check_extent(data: bytes) -> str:
    """Return what to say of cells with an error, "" of none. Raises DataError for a sheet that is too large.

    The reader asks for memory for each cell, there or not.
    """
    try:
        book = zipfile.ZipFile(io.BytesIO(data))
        sheets = [(name, book.read(name)) for name in book.namelist() if _is_sheet(name)]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return ERRORS.format("cells")  # an old workbook, whose sheets are small, or a damaged one, which is refused
    if not any(name.startswith(("xl/", "content.xml")) for name in book.namelist()):
        raise DataError("a zip archive without a workbook: unpack it first")
    for name, sheet in sheets:
        # One place at a time: a list of those of a million rows would take gigabytes itself.
        column = max((place[1].rjust(3) for place in _PLACE.finditer(sheet)), default=b"")
        row = max((int(place[2]) for place in _PLACE.finditer(sheet)), default=0)
        cells = row * sum((letter - 64) * 26**i for i, letter in enumerate(reversed(column.strip())))
        if cells > MOST_CELLS:
            last = f"{column.decode().strip()}{row}"
            raise DataError(
                f"{name} reaches to {last}, {cells:,} cells, expected at most {MOST_CELLS:,}: "
                f"delete the stray cells in row {row} and column {column.decode().strip()}, far from the table"
            )
    errors = sum(1 for _, sheet in sheets for _ in _ERROR.finditer(sheet))
    return ERRORS.format(f"{count(errors, 'cell')} of the workbook") if errors else ""
