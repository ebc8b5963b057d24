"""A shard's rows, some thousands at a time: those that keep the contract encoded, and the faults of the others.

Parquet is judged by column in Arrow (`columns`), and so is a block of CSV whose cells Arrow reads as the contract does;
any other block is judged cell by cell, as the server judges a CSV body.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from csv import writer
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import csv
from pyarrow import parquet as pq

from loan_approval.batch.columns import Faults, encode_arrow, read_dates
from loan_approval.batch.csv_blocks import BLOCK, ends_quotes_with_cells
from loan_approval.batch.files import attempt, open_file
from loan_approval.batch.shards import Shard, first_line, open_parquet
from loan_approval.errors import BatchError, DataError
from serve.contract.columns import encode_cells, encode_column, encode_monitored
from serve.contract.contract import Contract
from serve.contract.csv_cells import read_cells
from serve.contract.fault import Fault
from serve.contract.numbers import count
from serve.contract.tables import count_cells
from serve.errors import ApplicationError

BATCH = 32_768  # rows at a time; a multiple of the rows that the scorer takes in one call


@dataclass(frozen=True)
class Rows:
    """Consecutive rows. start: the number of the first in its file.

    X: (n, F) float64 of all rows.   faults: by field ("" for the row as a whole) and row, from 0.
    kept: the columns to pass through.
    """

    start: int
    X: np.ndarray
    faults: Mapping[str, Faults]
    kept: Sequence[pa.Array]

    def good(self) -> np.ndarray:
        """Return the indices of the rows without a fault."""
        good = np.ones(len(self.X), dtype=bool)
        for by_row in self.faults.values():
            good[list(by_row)] = False
        return np.flatnonzero(good)


def read_rows(shard: Shard, contract: Contract, keep: Sequence[str]) -> Iterator[Rows]:
    """Yield a shard's rows, in order. Raises DataError, BatchError."""
    return _read_csv(shard, contract, keep) if shard.file.is_csv else _read_parquet(shard, contract, keep)


def _read_parquet(shard: Shard, contract: Contract, keep: Sequence[str]) -> Iterator[Rows]:
    with open_parquet(shard.file) as source:
        names = {feature.name for feature in contract.features} & set(source.schema_arrow.names)
        groups, first = _groups_of(source.metadata, shard)
        batches = source.iter_batches(BATCH, row_groups=groups, columns=[*names, *keep], use_threads=False)
        start = shard.start
        try:
            for batch in _cut_out(batches, start - first, shard.rows, shard.file.address):
                X, faults = judge_columns(contract, {name: batch.column(name) for name in names}, batch.num_rows)
                yield Rows(start, X, faults, [_without_views(batch.column(name)) for name in keep])
                start += batch.num_rows
        except (pa.ArrowException, OSError) as err:  # of the disk, the network or the file
            raise BatchError(f"{shard.file.address}: can't be read to its end: {first_line(err)}") from err


def _without_views(values: pa.Array) -> pa.Array:
    """Return a column of which Arrow can take rows; it can't of string views, which Polars writes."""
    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(values.type)
    return values if plain is None else values.cast(plain)


def _groups_of(metadata: pq.FileMetaData, shard: Shard) -> tuple[list[int], int]:
    """Return the row groups that hold the shard, and the number of their first row."""
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    ends = np.cumsum(sizes)
    groups = np.flatnonzero((ends - sizes < shard.start + shard.rows) & (ends > shard.start))
    return groups.tolist(), int(ends[groups[0]] - sizes[groups[0]])


def _cut_out(batches: Iterator[pa.RecordBatch], skip: int, rows: int, where: str) -> Iterator[pa.RecordBatch]:
    """Yield the `rows` rows that follow the first `skip`."""
    for batch in batches:
        part = batch.slice(min(skip, batch.num_rows), rows)
        skip = max(skip - batch.num_rows, 0)
        rows -= part.num_rows
        if part.num_rows:
            yield part
        if not rows:
            return
    raise DataError(f"{where}: has {rows:,} rows fewer than when the work was planned")


def judge_columns(contract: Contract, columns: Mapping[str, pa.Array], n: int) -> tuple[np.ndarray, dict[str, Faults]]:
    """Return (n, F) float64 and the faults by field and row; an absent column is missing."""
    X = np.full((n, len(contract.scored)), np.nan)
    faults = {}
    dates = {
        name: read_dates(columns[name])
        for each in contract.counted
        for name in (each.name, each.reference)
        if name in columns
    }
    days = contract.count_days(dates)
    for feature in contract.features:
        if feature.name in columns:
            if feature.reference:
                judge = encode_column if feature.scored else encode_monitored
                numbers, faults[feature.name] = judge(feature, days[feature.name])
            else:
                numbers, faults[feature.name] = encode_arrow(feature, columns[feature.name])
            if feature.scored:
                X[:, contract.scored.index(feature)] = numbers
    return X, {name: by_row for name, by_row in faults.items() if by_row}


def _read_csv(shard: Shard, contract: Contract, keep: Sequence[str]) -> Iterator[Rows]:
    start = shard.start
    with open_file(shard.file.place) as source:
        for block in shard.blocks:
            text = attempt(shard.file.address, source.read_at, block.size, block.offset)
            arguments = (shard, text, start, contract, keep, block.rows)
            try:
                rows = _read_by_column(*arguments) or _read_by_cell(*arguments)
            except ApplicationError as err:
                before = attempt(shard.file.address, _count_lines, source, block.offset)
                raise DataError(f"{shard.file.address}: {_place(err, shard.header, before, text)}") from err
            if len(rows.X) != block.rows:
                raise DataError(f"{shard.file.address}: has other rows than when the work was planned")
            yield rows
            start += block.rows


def _read_by_column(
    shard: Shard, text: bytes, start: int, contract: Contract, keep: Sequence[str], n: int
) -> Rows | None:
    """Return the rows of a text whose cells mean the same to Arrow and to the contract, None of any other."""
    if not ends_quotes_with_cells(text) or len(shard.header) == 1:
        return None
    known = [feature for feature in contract.features if feature.name in shard.header]
    kinds = {feature.name: pa.string() if feature.is_text else pa.float64() for feature in known}
    kinds |= dict.fromkeys(keep, pa.string())
    try:
        text.decode()  # Arrow checks only the columns that are read
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=shard.header),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types=kinds, include_columns=list(kinds), null_values=[""], strings_can_be_null=True
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if table.num_rows != n:  # Arrow skips an empty line, which is a row with a fault
        return None
    columns = {name: table.column(name).combine_chunks() for name in kinds}
    X, faults = judge_columns(contract, columns, n)
    # To Arrow "nan" is a number, and a name or a date between blanks another one.
    fault_kinds = {fault.kind for by_row in faults.values() for fault in by_row.values()}
    if fault_kinds & {"unknown category", "not a finite number", "not a date"}:
        return None
    return Rows(start, X, faults, [columns[name] for name in keep])


def _read_by_cell(shard: Shard, text: bytes, start: int, contract: Contract, keep: Sequence[str], n: int) -> Rows:
    """Return the rows of a text, judged cell by cell. Raises ApplicationError when it is no CSV."""
    line = io.StringIO()
    writer(line).writerow(shard.header)
    cells = read_cells(line.getvalue().encode() + text)
    at = np.fromiter(cells.rows, np.int64)
    by_name = dict(zip(cells.header, cells.columns, strict=True))
    by_name |= count_cells(contract, by_name)
    X = np.full((n, len(contract.scored)), np.nan)
    fault = Fault("wrong number of cells", count(len(cells.header), "cell"))
    last = len(cells.rows) + len(cells.uneven)  # `cells` lacks the empty lines at the end
    faults = {"": dict.fromkeys((*cells.uneven, *range(last, n)), fault)}
    for feature in contract.features:
        if feature.name in by_name:
            column = by_name[feature.name]
            if feature.scored:
                X[at, contract.scored.index(feature)], by_row = encode_cells(feature, column)
            else:
                _, by_row = encode_monitored(feature, list(map(feature.parse, column)))
            faults[feature.name] = {int(at[row]): fault for row, fault in by_row.items()}
    kept = []
    for name in keep:
        texts = np.full(n, None, dtype=object)
        texts[at] = [cell or None for cell in by_name[name]]
        kept.append(pa.array(texts, pa.string()))
    return Rows(start, X, {name: by_row for name, by_row in faults.items() if by_row}, kept)


def _count_lines(source: pa.NativeFile, end: int) -> int:
    starts = range(0, end, BLOCK)
    return sum(source.read_at(min(BLOCK, end - start), start).count(b"\n") for start in starts)


def _place(err: ApplicationError, header: Sequence[str], before: int, text: bytes) -> str:
    """Return what is wrong with a text, and its line or lines in the file. before: the number of lines above it."""
    reason = next(iter(err.fields.values()))
    heading = 1 + sum(name.count("\n") for name in header)  # lines above the text, as it was read
    placed = re.sub(r"(?<=line )\d+", lambda found: str(int(found[0]) - heading + before), reason)
    last = before + 1 + text.rstrip(b"\n").count(b"\n")
    return placed if "line" in reason else f"lines {before + 1:,} to {last:,}: {reason}"
