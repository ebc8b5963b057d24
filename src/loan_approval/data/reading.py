"""Reads an owner's file, whatever its form, and says how it was read: a CSV, a spreadsheet or a Parquet file."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from loan_approval.data.notation import MARKERS, is_finite_number
from loan_approval.data.rows import (
    ONE_BYTE,
    ROWS_NAMED,
    SEPARATORS,
    Row,
    decode,
    drop_headers,
    drop_notes,
    find_separator,
    is_utf8,
    name_columns,
    split_rows,
)
from loan_approval.data.source import BLOCK_ROWS, Source
from loan_approval.data.workbooks import cell_text, is_excel, read_excel
from loan_approval.errors import DataError
from serve.contract.numbers import count

PARQUET = (".parquet", ".pq")
OTHERS = "cp1250, cp1251, cp1254, gb18030, shift_jis or cp949"
MOST_ABOVE = 20  # rows above the header
JUDGED_ROWS = 50  # by which a header is told from a row
NO_HEADER = (
    "the first row looks like data, not like names; expected names in it. Say --no-header to call the columns "
    "column_1, column_2, …, or --names NAME,NAME,… to name them"
)


@dataclass(frozen=True)
class Form:
    """What the owner says about a file; "" is found out. names: of its columns, where it has no header."""

    encoding: str = ""
    separator: str = ""
    decimal: str = ""
    has_header: bool = True
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A file's names and rows as text, its form, and notes on what was found and changed."""

    header: list[str]
    rows: list[Row]
    source: Source
    notes: tuple[str, ...]


def read_file(path: Path, form: Form, target: str = "") -> Reading:
    """Read a file. Raises DataError when it is no table.

    target: the name of a column, by which a header is found that has rows above it.
    """
    try:
        rows, source, notes = _read_rows(path, form)
        if form.has_header and not form.names and (above := _find_header(rows, target)):
            notes.append(f"rows above the header, left out: {above}")
            rows, source = rows[above:], replace(source, rows_above=above)
        kept = list(drop_notes(rows, len(rows[0]) if rows else 0, notes))
        rows, source = kept, replace(source, notes_below=len(kept) < len(rows))
        return _finish(rows, form, source, notes)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as err:
        raise DataError(f"{path}: can't be read: {err.strerror or err}") from err
    except DataError as err:
        raise DataError(f"{path}: {err}") from err


def _read_rows(path: Path, form: Form) -> tuple[list[Row], Source, list[str]]:
    if path.suffix.casefold() in PARQUET:
        return list(read_parquet(path)), Source(), ["read as Parquet"]
    data = path.read_bytes()
    if is_excel(data):
        rows, notes = read_excel(data)
        return rows, Source(), notes
    text, encoding = decode(data, form.encoding)
    mark = {value: key for key, value in SEPARATORS.items()}.get(form.separator, form.separator)
    if mark and mark not in SEPARATORS:
        raise DataError(f"--separator {form.separator!r}: expected one of {', '.join(SEPARATORS)}")
    separator = mark or find_separator(text)
    source = Source(encoding=encoding, separator=separator or "comma")
    rows = list(split_rows(io.StringIO(text, newline=""), source.separator))
    if rows and not separator:
        raise DataError(f"one column only; expected cells between {', '.join(SEPARATORS)}: --separator NAME")
    passed = len(text.splitlines()) - len(rows) if '"' not in text else 0
    notes = [f"read as {encoding}, separated by {source.separator}"]
    if encoding in ONE_BYTE and not form.encoding and not text.isascii():
        notes += _describe_guess(data, encoding)
    notes += [f"lines passed over, as they are empty or a comment: {passed}"] if passed else []
    return rows, source, notes


def _describe_guess(data: bytes, encoding: str) -> list[str]:
    """Return a remark on an encoding in which any byte is a letter, so that no file proves it; none without letters."""
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    in_utf8 = [line for line in lines if is_utf8(line)]
    words = (
        word for line in (in_utf8 or lines)[:BLOCK_ROWS] for word in re.split(r"[ \t\r,;|]+", line.decode(encoding))
    )
    foreign = [word for word in words if any(letter.isalpha() and not letter.isascii() for letter in word)]
    # A letter such as é is the same in many encodings, so that a word with another one tells more.
    telling = (word for word in foreign if word.encode(encoding) != word.encode("cp1250", "ignore"))
    if not (shown := next(telling, "".join(foreign[:1]))):
        return []
    if in_utf8:
        counts = f"UTF-8 in {count(len(in_utf8), 'line')} and not in {len(lines) - len(in_utf8):,}"
        return [f"two encodings in one file, {counts}, so that letters are wrong, as in {shown}: mend it at its source"]
    return [f"{encoding} is a guess: if letters are wrong, as in {shown}, say --encoding {OTHERS}"]


def _find_header(rows: Sequence[Row], target: str) -> int:
    """Return how many rows stand above the header, 0 unless another row than the first has the target's name.

    A row of data could hold that text too: a header has no number, and no cell that stands in its column again.
    """
    if not target or not rows or target in name_columns(rows[0]):
        return 0
    for above, row in enumerate(rows[1 : MOST_ABOVE + 1], 1):
        others = [*rows[1:above], *rows[above + 1 : above + 1 + JUDGED_ROWS]]
        if target in name_columns(row) and not any(
            is_finite_number(cell) or any(cell == other[i] for other in others if i < len(other))
            for i, cell in enumerate(row)
            if cell
        ):
            return above
    return 0


def _finish(rows: list[Row], form: Form, source: Source, notes: list[str]) -> Reading:
    """Name the columns and check the widths of the rows. Raises DataError with every problem."""
    if form.has_header and not form.names:
        if _looks_like_data(rows):
            raise DataError(NO_HEADER)
        header = rows[0] if rows else Row((), 1)
        if all(re.fullmatch("'.*'", name) for name in header) and header:
            raise DataError("names in single quotes, expected none or double ones: write the file anew with these")
        rows = list(drop_headers(rows[1:], header, notes))
        names = name_columns(header)
        changed = [f"{old!r} is {new!r}" for old, new in zip(header, names, strict=True) if old != new]
        notes += [f"columns renamed: {', '.join(changed)}"] if changed else []
    else:
        names = name_columns(form.names or [""] * len(rows[0] if rows else []))
        source = replace(source, names=tuple(names))
        notes.append(f"no header: the columns are called {', '.join(names)}")
    ragged = [row for row in rows if len(row) != len(names)]
    problems = [f"row {row.line}: {count(len(row), 'cell')}, expected {len(names)}" for row in ragged[:ROWS_NAMED]]
    if len(ragged) > ROWS_NAMED:
        problems.append(f"and {len(ragged) - ROWS_NAMED} more")
    if ragged and all(len(row) == len(names) + 1 and not row[-1] for row in ragged):
        problems.append("rows end with a separator and the header does not: add one to it")
    elif source.separator == "comma" and any(len(row) > len(names) for row in ragged):
        problems.append("a cell that holds a comma needs quotes, and a column of row names a name")
    if len(names) < 2 or not rows:
        problems.append("expected a header with at least two names, and rows below it")
    if problems:
        raise DataError(f"{'; '.join(problems)} ({notes[0]})")
    return Reading(names, rows, source, tuple(notes))


def _looks_like_data(rows: Sequence[list[str]]) -> bool:
    """Return whether the first row holds a number wherever the rows below do."""
    if len(rows) < 2 or rows[0] == [str(i) for i in range(len(rows[0]))]:
        return False
    header, judged = rows[0], rows[1 : JUDGED_ROWS + 1]
    columns = [[row[i] for row in judged if i < len(row) and row[i]] for i in range(len(header))]
    numbers = [i for i, cells in enumerate(columns) if cells and all(map(_is_number_or_marker, cells))]
    held = [header[i] for i in numbers if header[i].casefold() not in MARKERS | {""}]
    return bool(held) and all(is_finite_number(cell.replace(",", ".")) for cell in held)


def _is_number_or_marker(cell: str) -> bool:
    return is_finite_number(cell.replace(",", ".")) or cell.casefold() in MARKERS


def read_lines(file: BinaryIO, source: Source, is_parquet: bool, remarks: list[str]) -> Iterator[Row]:
    """Return the rows of an open file that is written as a source, before they are clean. Raises DataError.

    remarks: gets what there is to say of a workbook.
    """
    if is_parquet:
        return read_parquet(file)
    if is_excel(file.read(4)):
        file.seek(0)
        rows, found = read_excel(file.read())
        remarks += found
        return iter(rows)
    file.seek(0)
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    try:
        return split_rows(io.TextIOWrapper(file, encoding, newline=""), source.separator)
    except LookupError as err:
        raise DataError(f"source.encoding: {err}") from None


def read_parquet(source: Any) -> Iterator[Row]:
    """Yield the column names and the rows of a Parquet file, a path or an open file. Raises DataError."""
    import pyarrow as pa
    from pyarrow import parquet

    number = 1
    try:
        file = parquet.ParquetFile(source)
        kept = [i for i, name in enumerate(file.schema_arrow.names) if not name.startswith("__index_level_")]
        yield Row((file.schema_arrow.names[i] for i in kept), number)
        for batch in file.iter_batches(BLOCK_ROWS):
            for cells in zip(*(map(cell_text, batch.column(i).to_pylist()) for i in kept), strict=True):
                number += 1
                yield Row(cells, number)
    except pa.ArrowException as err:
        raise DataError(f"not a Parquet file that can be read: {str(err).splitlines()[0]}") from err
