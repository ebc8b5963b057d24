"""How an owner's file is written, and its rows as clean text: commas, decimal points, empty cells where values miss.

`init` finds the rules and records them as `[source]` of the contract. Later files like it are read by the same rules.
"""

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import compress, groupby, islice
from typing import Any

from loan_approval.data.dates import is_notation, read_column
from loan_approval.data.notation import is_finite_number, read_number
from loan_approval.data.rows import SAMPLE, Row, decode, drop_headers, drop_notes, name_columns, split_rows
from loan_approval.errors import DataError
from serve.contract.contract import Contract
from serve.contract.csv_cells import read_decimals

BLOCK_ROWS = 8192  # cleaned in one go


@dataclass(frozen=True)
class Source:
    """The form of a file.

    separator: a key of `SEPARATORS`; space stands for any run of blanks.   names: of a file without a header.
    decimal_comma: columns whose numbers have one.   dates: the notation of each column of dates, as in `dates`.
    rows_above: how many stand above the header, such as a title.   notes_below: whether notes stand below the rows,
    as `drop_notes` knows them.   missing: the cells of each column that mean a missing value.   left_out: the reason
    for each column that is no part of the data set.   drop_unlabelled: rows without a target too.
    """

    encoding: str = "utf-8"
    separator: str = "comma"
    names: tuple[str, ...] = ()
    rows_above: int = 0
    notes_below: bool = False
    decimal_comma: tuple[str, ...] = ()
    dates: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, Collection[str]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    drop_unlabelled: bool = False

    @classmethod
    def of(cls, contract: Contract) -> "Source | None":
        """Return the source that a contract records, None when it records none. Raises DataError."""
        source = cls(**contract.source) if contract.source else None
        for name, notation in (source.dates if source else {}).items():
            if not is_notation(notation):
                raise DataError(f"source.dates.{name}: expected a notation such as DD/MM/YYYY or DD-Mon-YYYY")
        return source

    def to_dict(self) -> dict[str, Any]:
        """Return the table `[source]`; what is empty is left out, so that `of` reads the same."""
        texts = {key: value for key, value in asdict(self).items() if value}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in texts.items()}


def clean_rows(
    lines: Iterator[Row], source: Source, numbers: Collection[str], target: str, remarks: list[str]
) -> Iterator[Row]:
    """Yield the header and each row as the data set has them. numbers: the columns that hold some.

    remarks: gets one on rows that are left out, when the last row is read.
    A row with another number of cells than the header is yielded as it is.
    """
    if not (header := list(source.names)):
        first = next(islice(lines, source.rows_above, None), Row((), 1))
        header, lines = name_columns(first), drop_headers(lines, first, remarks)
    lines = drop_notes(lines, len(header), remarks) if source.notes_below else lines
    kept = [i for i, name in enumerate(header) if name not in source.left_out]
    markers = [frozenset(source.missing.get(name, ())) for name in header]
    commas = [name in source.decimal_comma for name in header]
    is_number, dates = [name in numbers for name in header], [source.dates.get(name) for name in header]
    at = header.index(target) if target in header and source.drop_unlabelled else None
    yield Row((header[i] for i in kept), 1)
    while block := list(islice(lines, BLOCK_ROWS)):
        for is_even, rows in groupby(block, lambda row: len(row) == len(header)):
            if not is_even:
                yield from rows
                continue
            rows = list(rows)
            columns = [_empty(column, markers[i]) for i, column in enumerate(zip(*rows, strict=True))]
            columns = [read_column(column, dates[i]) if dates[i] else column for i, column in enumerate(columns)]
            cleaned = [_in_plain_digits(columns[i], commas[i]) if is_number[i] else columns[i] for i in kept]
            labels = columns[at] if at is not None else ()
            made = map(Row, zip(*cleaned, strict=True), [row.line for row in rows])
            yield from compress(made, labels) if at is not None else made


def _empty(cells: Sequence[str], markers: Collection[str]) -> Sequence[str]:
    return ["" if cell in markers else cell for cell in cells] if markers else cells


def _in_plain_digits(cells: Sequence[str], comma: bool) -> Sequence[str]:
    # A column whose cells are all plain decimals is read in one step.
    if not comma and read_decimals(cells) is not None:
        return cells
    return [_plain(cell, comma) if cell else cell for cell in cells]


def _plain(cell: str, comma: bool) -> str:
    # With a decimal comma a plain 1234.5 is no number of the source, but 1.234 may be one thousand.
    number = read_number(cell, comma) if comma or not is_finite_number(cell) else cell
    return cell if number is None else number


def clean_like_source(lines: Iterator[Row], contract: Contract, source: Source, remarks: list[str]) -> Iterator[Row]:
    """Yield the clean rows of a file that is written as a contract's source. lines: all its rows.

    remarks: as `clean_rows` takes them.
    """
    numbers = {feature.name for feature in contract.features if not feature.is_text}
    return clean_rows(lines, source, numbers, contract.target.name, remarks)


def is_like_source(sample: bytes, contract: Contract) -> bool:
    """Return whether a file that begins so is written as the contract's source, rather than as a clean data set."""
    source = Source.of(contract)
    if source is None:
        return False
    sample = sample.rpartition(b"\n")[0] if len(sample) >= SAMPLE else sample
    try:
        text = sample.decode("utf-8-sig")
    except UnicodeError:
        return True
    clean = _begin(text, "comma")
    names = {feature.name for feature in contract.features}
    if source.names:
        return names.isdisjoint(clean[0])
    try:
        rows = _begin(decode(sample, source.encoding)[0], source.separator)
        own = name_columns(next(iter(rows[source.rows_above :]), []))
    except DataError:
        own = []
    if len(names & set(own)) != len(names & set(clean[0])):
        return len(names & set(own)) > len(names & set(clean[0]))
    if not text.isascii() and source.encoding != "utf-8":
        return False
    commas = [i for i, name in enumerate(clean[0]) if name in source.decimal_comma]
    # Without a decimal comma, what is clean means the same by the rules of the source.
    return not commas or any("," in row[i] for row in clean for i in commas if i < len(row))


def _begin(text: str, separator: str) -> Sequence[list[str]]:
    """Return the rows that can be read of the beginning of a file, at least an empty header."""
    rows: list[Row] = []
    with suppress(DataError):  # the end may cut a row off
        rows.extend(split_rows(io.StringIO(text, newline=""), separator))
    return rows or [[]]
