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

MOST_CELLS = 50_000_000  # between the first and the last cell of a sheet, at some 32 bytes each
_PLACE = re.compile(rb'<(?:\w+:)?c [^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_ATTRIBUTE = re.compile(rb'\b(Id|Target)="([^"]*)"')
_SHEET = re.compile(rb'<(?:\w+:)?sheet [^>]*?:id="([^"]+)"')
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)
_ERROR = re.compile(rb'<(?:\w+:)?c [^>]*?\bt="e"')


def is_excel(data: bytes) -> bool:
    """Return whether a file that begins so is a workbook: a zip archive, or an old .xls, a compound file."""
    return data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))


def read_excel(data: bytes) -> tuple[list[Row], list[str]]:
    """Return the rows of the first sheet that has some, and remarks on what was read. Raises DataError."""
    import python_calamine

    sheets = _find_sheets(data)
    try:
        with _without_stderr():
            book = python_calamine.load_workbook(io.BytesIO(data))
        for at, name in enumerate(book.sheet_names):
            errors = _check_sheet(data, sheets[at]) if sheets else ", such as #N/A,"
            table = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            rows = [Row(map(cell_text, values), n) for n, values in enumerate(table, 1)]
            if rows := [row for row in rows if any(row)]:
                width = max(i + 1 for row in rows for i, cell in enumerate(row) if cell)
                remarks = _describe_sheet(name, errors, rows)
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


def _describe_sheet(name: str, errors: str, rows: Sequence[Row]) -> list[str]:
    passed = rows[-1].line - rows[0].line + 1 - len(rows)
    return [f"read as Excel, sheet {name!r}" + f"; cells with an error{errors} are empty" * bool(errors)] + [
        f"rows passed over, as every cell is empty or has an error: {passed}"
    ] * (passed > 0)


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


def _find_sheets(data: bytes) -> list[str]:
    """Return the names of the sheets' files in an .xlsx, in the workbook's order; none of another kind of workbook.

    Source: ECMA-376, part 1, 18.2.19. Raises DataError for an archive of something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            if not any(name.startswith(("xl/", "content.xml")) for name in book.namelist()):
                raise DataError("a zip archive without a workbook: unpack it first")
            relations = book.read("xl/_rels/workbook.xml.rels")
            workbook = book.read("xl/workbook.xml")
    except (KeyError, *_DAMAGED):
        return []  # another kind, whose sheets are small, or a damaged one, which the reader refuses
    tags = [dict(_ATTRIBUTE.findall(tag)) for tag in re.findall(rb"<(?:\w+:)?Relationship [^>]+", relations)]
    targets = {tag.get(b"Id", b""): tag.get(b"Target", b"").decode() for tag in tags}
    places = [targets.get(each, "") for each in _SHEET.findall(workbook)]
    return [place[1:] if place.startswith("/") else f"xl/{place}" for place in places]


def _check_sheet(data: bytes, name: str) -> str:
    """Return how many cells of a sheet have an error, in words, "" for none. Raises DataError for too large a one.

    The reader asks for memory for each cell, there or not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            sheet = book.read(name)
    except (KeyError, *_DAMAGED) as err:
        raise DataError(f"not an Excel file that can be read, it may be damaged: {name}") from err
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
    errors = sum(1 for _ in _ERROR.finditer(sheet))
    return f" ({errors:,}, such as #N/A)" if errors else ""
