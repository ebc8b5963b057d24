"""The rows of a text file in any form: its encoding, its separator, its cells, and the line that each row begins on."""

import csv
import io
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from loan_approval.data.notation import is_date, is_finite_number, read_number
from loan_approval.errors import DataError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
SAMPLE = 65_536  # characters, or bytes, by which the form of a file is judged
ROWS_NAMED = 10
LONGEST_DASH = 3  # characters of a dash that may stand for a missing value
ONE_BYTE = ("cp1252", "latin-1")  # encodings that are tried where a file is not UTF-8
_JSON = "JSON, expected a table. Write one: pandas.read_json('IN'{}).to_csv('OUT.csv', index=False) in Python"
# How files begin that are no text of rows, and what to do with each.
_OTHERS = (
    (rb"\x1f\x8b", "packed with gzip: unpack it first"),
    (rb"PAR1", "Parquet: let its name end in .parquet"),
    (rb"%PDF|\s*<(!doctype|html|\?xml|table)", "a document, expected a table: save it as CSV or .xlsx first"),
    (rb'(\xef\xbb\xbf)?\s*(\{\s*"[^\n]*\}|\[\s*["\d-][^\n]*\])\r?\n\s*[{\[]', _JSON.format(", lines=True")),
    (rb'(\xef\xbb\xbf)?\s*(\{\s*"|\[\s*[\[{])', _JSON.format("")),
)
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)
_CUT = re.compile(r"[\x00-\x1f]+")


class Row(list[str]):
    """The cells of a row. line: where it begins in its file, from 1, as an editor shows it; of a table its row."""

    __slots__ = ("line",)

    def __init__(self, cells: Iterable[str], line: int) -> None:
        super().__init__(cells)
        self.line = line


def decode(data: bytes, encoding: str = "") -> tuple[str, str]:
    """Return a file's text and its encoding, found by its byte-order mark or bytes unless given. Raises DataError."""
    for beginning, advice in _OTHERS:
        if re.match(beginning, data, re.IGNORECASE):
            raise DataError(advice)
    guesses = [encoding] if encoding else _guess_encodings(data)
    for guess in guesses:
        try:
            return data.decode("utf-8-sig" if guess == "utf-8" else guess), guess
        except (UnicodeError, LookupError) as err:
            reason = err
    if encoding:
        raise DataError(f"can't be read as {encoding}: {reason}")
    raise DataError("not a text, expected CSV, .xlsx, .xls or .parquet: save it as one of these first")


def _guess_encodings(data: bytes) -> list[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["utf-16"]
    sample = data[:SAMPLE]
    if sample.count(0) > len(sample) / 4:
        return ["utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"]
    return ["utf-8", *ONE_BYTE]


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are a text in UTF-8."""
    try:
        return data.decode() is not None
    except UnicodeError:
        return False


def find_separator(text: str) -> str:
    """Return the key of the separator at which most lines have as many cells as the header, "" when none splits it.

    Where none does so, the first line may be a title: then the width that most lines have stands for the header's.
    """
    if said := re.match(r'"?sep=(.)"?\s*[\r\n]', text[:12]):
        return next((key for key, mark in SEPARATORS.items() if mark == said[1]), "")
    sample = _cut_between_rows(text[:SAMPLE]) if len(text) > SAMPLE else text
    for has_title in (False, True):
        judged = {key: _judge_separator(sample, key, has_title) for key in SEPARATORS}
        best = max(judged, key=lambda key: judged[key])
        if judged[best][0] >= 0.5:
            return best
    return ""


def _cut_between_rows(text: str) -> str:
    """Return a text without its last, unfinished line, nor those that leave a quoted cell open."""
    whole = cut = text.rpartition("\n")[0]
    while cut.count('"') % 2:
        cut = cut.rpartition("\n")[0]
    return cut or whole


def _judge_separator(sample: str, key: str, has_title: bool) -> tuple[float, bool, int]:
    """Return the share of lines with as many cells as the header, whether it is no blank, and the number of cells."""
    try:
        header, *rows = [len(row) for row in split_rows(io.StringIO(sample, newline=""), key)]
    except (DataError, ValueError):
        return 0, False, 0
    if has_title and rows:
        header = statistics.mode(rows)
    even = sum(width == header for width in rows) / len(rows) if rows else 1
    return (round(even, 1) if header > 1 else 0), key != "space", header


def split_rows(stream: Iterable[str], separator: str) -> Iterator[Row]:
    """Yield the rows of a text, stripped cells, without empty lines, comments (#) and a first line `sep=`.

    stream: the lines; of an ARFF file too.   separator: a key of `SEPARATORS`.   A header with one name less than
    the first row has cells gets an empty one in front: R writes the names of rows so. Between commas it does not, for
    there the cell more may come of a number such as 12,500.   Raises DataError.
    """
    rows = _split(_read_arff(stream), SEPARATORS[separator])
    header, first = next(rows, None), next(rows, None)
    if first and max(map(len, first)) > LONGEST_DASH and not "".join(first).strip("-=+:"):
        first = next(rows, None)  # a rule below the header, as sqlcmd and psql draw it
    is_named = header and first and separator != "comma"
    if is_named and 1 < len(header) == len(first) - 1 and first[-1] and not any(map(is_finite_number, header)):
        header.insert(0, "")
    yield from (row for row in (header, first) if row is not None)
    yield from rows


def _read_arff(stream: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text; of ARFF a header of its attributes and the data, each on its line, the rest empty.

    Source: "Attribute-Relation File Format", weka.sourceforge.io.
    """
    lines, head = iter(stream), []
    for line in lines:
        head.append(line)
        if line.strip() and not line.startswith("%"):
            break
    if not head or not head[-1].casefold().startswith("@relation"):
        yield from head
        yield from lines
        return
    yield from "\n" * len(head)
    names: list[str] = []
    for line in lines:
        if attribute := _ATTRIBUTE.match(line):
            names.append('"' + attribute[1].strip("'\"") + '"')
        is_data = line.casefold().startswith("@data")
        yield f"{','.join(names)}\n" if is_data else "\n"
        if is_data:
            break
    for line in lines:
        if line.startswith("{"):
            raise DataError("sparse ARFF, expected all values of each row: Weka's filter SparseToNonSparse writes them")
        yield "\n" if line.startswith("%") else line.replace("'", '"')


def _split(stream: Iterable[str], mark: str) -> Iterator[Row]:
    if mark == " ":
        stream = (line.expandtabs(1).strip(" \r\n") + "\n" for line in stream)
    width = 0
    for row in number_rows(csv.reader(stream, delimiter=mark, strict=True, skipinitialspace=True)):
        row[:] = [cell.strip() for cell in row]
        if not any(row) or (not width and re.fullmatch("sep=.?", mark.join(row).strip(), re.IGNORECASE)):
            continue
        if row[0].startswith("#") and (len(row) != width if width else len(row) == 1 or row[0][1:2] == " "):
            continue
        width = width or len(row)
        yield row


def drop_notes(rows: Iterable[Row], width: int, remarks: list[str]) -> Iterator[Row]:
    """Yield rows without the notes at the end, such as "(60 rows affected)", and then add a remark on what they were.

    width: of the table. A row that is as wide is none, whatever its cells hold.
    """
    held: list[Row] = []
    for row in rows:
        if len(row) < width and is_note(row):
            held.append(row)
        else:
            yield from held
            held.clear()
            yield row
    if held:
        remarks.append(f"notes below the rows, left out: {name_rows([row.line for row in held])}")


def drop_headers(rows: Iterable[Row], header: Row, remarks: list[str]) -> Iterator[Row]:
    """Yield rows without those that repeat the header, as in files put together, and then add a remark on them."""
    lines = []
    for row in rows:
        if row == header:
            lines.append(row.line)
        else:
            yield row
    if lines:
        remarks.append(f"rows that repeat the header, left out: {name_rows(lines)}")


def is_note(row: Row) -> bool:
    """Return whether a row holds words in its first cell alone; a single one may begin a row that was cut off."""
    first = "".join(row[:1])
    is_value = any(read_number(first, comma) for comma in (False, True)) or is_date(first)
    return " " in first and not any(row[1:]) and not is_value


def number_rows(reader: Any) -> Iterator[Row]:
    """Yield the rows of a `csv.reader`, each with its line. Raises DataError."""
    line = 1
    try:
        for cells in reader:
            yield Row(map(unify_line_ends, cells) if "\r" in "".join(cells) else cells, line)
            line = reader.line_num + 1
    except csv.Error as err:
        raise DataError(f"line {reader.line_num}: not a CSV: {err}") from err


def unify_line_ends(cell: str) -> str:
    r"""Return a cell with \n between its lines: csv.writer leaves \r alone unquoted, which breaks the row."""
    return cell.replace("\r\n", "\n").replace("\r", "\n")


def name_columns(header: Iterable[str]) -> list[str]:
    """Return names that a contract takes, each once: unnamed columns get their number, repeated names one of theirs."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = " ".join(_CUT.sub(" ", cell).replace('"', "'").replace("\\", "/").split()) or f"column_{number}"
        repeated = (f"{name}_{n}" for n in range(2, len(names) + 3))
        names.append(name if name not in names else next(each for each in repeated if each not in names))
    return names


def name_rows(rows: Sequence[int]) -> str:
    """Return the first row numbers in words."""
    more = f" and {len(rows) - ROWS_NAMED:,} more" if len(rows) > ROWS_NAMED else ""
    return f"row{'' if len(rows) == 1 else 's'} {', '.join(map(str, rows[:ROWS_NAMED]))}{more}"
