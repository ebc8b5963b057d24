"""A shard's rows, some thousands at a time: encoded where they keep the contract, and what is wrong with the others.

Parquet and a plain CSV are judged by column in Arrow (`judging`); a block of CSV that Arrow does not read as
plainly right is judged cell by cell, as the server judges a CSV body.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from csv import writer
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import csv
from pyarrow import parquet as pq

from loan_approval.batch.csv_blocks import ends_quotes_with_cells
from loan_approval.batch.files import attempt, open_file
from loan_approval.batch.judging import Faults, encode_arrow
from loan_approval.batch.shards import Shard, open_parquet
from loan_approval.errors import BatchError, DataError
from serve.contract.contract import Contract
from serve.contract.csv_cells import Cells, read_cells
from serve.contract.feature import Fault, Feature
from serve.errors import ApplicationError

BATCH = 32_768  # rows at a time; a multiple of the rows that the scorer takes in one call


@dataclass(frozen=True)
class Rows:
    """Some rows, one after the other, `start` being the first one's number in its file.

    X: (n, F) float64 of all of them.   faults: what is wrong, by field ("" for the row as a whole) and row of these.
    kept: the columns to pass through.
    """

    start: int
    X: np.ndarray
    faults: Mapping[str, Faults]
    kept: Sequence[pa.Array]

    def good(self) -> np.ndarray | None:
        """Return (n,) whether each row is without a fault, None where all are."""
        if not self.faults:
            return None
        good = np.ones(len(self.X), dtype=bool)
        for faults in self.faults.values():
            good[list(faults)] = False
        return good


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
                yield Rows(start, X, faults, [_without_view(batch.column(name)) for name in keep])
                start += batch.num_rows
        except (pa.ArrowException, OSError) as err:  # the disk's or the network's fault, or the file's
            reason = str(err).partition("\n")[0][:200]
            raise BatchError(f"{shard.file.address}: can't be read to its end: {reason}") from err


def _without_view(values: pa.Array) -> pa.Array:
    """Return what rows can be taken of: Arrow can't take any of a string view, which is what Polars writes."""
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
    """Return (n, F) float64 and what is wrong, by field and row; `columns` has each scored feature's."""
    X = np.empty((n, len(contract.scored)))
    position = {feature.name: column for column, feature in enumerate(contract.scored)}
    faults = {}
    for feature in contract.features:
        if feature.name in columns:
            numbers, faults[feature.name] = encode_arrow(feature, columns[feature.name], not feature.scored)
            if feature.scored:
                X[:, position[feature.name]] = numbers
    return X, {name: found for name, found in faults.items() if found}


def _read_csv(shard: Shard, contract: Contract, keep: Sequence[str]) -> Iterator[Rows]:
    start = shard.start
    with open_file(shard.file.address) as source:
        for block in shard.blocks:
            text = attempt(shard.file.address, source.read_at, block.size, block.offset)
            asked = (shard, text, start, contract, keep, block.rows)
            rows = _read_plainly(*asked) or _read_exactly(*asked)
            if len(rows.X) != block.rows:
                raise DataError(f"{shard.file.address}: has other rows than when the work was planned")
            yield rows
            start += block.rows


def _read_plainly(
    shard: Shard, text: bytes, start: int, contract: Contract, keep: Sequence[str], n: int
) -> Rows | None:
    """Return the rows of a text whose cells mean to Arrow what they mean to the contract, None of any other."""
    if not ends_quotes_with_cells(text) or len(shard.header) == 1:
        return None
    features = [feature for feature in contract.features if feature.name in shard.header]
    kinds = {f.name: pa.string() if f.is_category else pa.float64() for f in features} | dict.fromkeys(
        keep, pa.string()
    )
    try:
        text.decode()  # Arrow looks at no column that isn't asked for
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
    if table.num_rows != n:  # an empty line is a row, if a wrong one, and Arrow passes over it
        return None
    columns = {name: table.column(name).combine_chunks() for name in kinds}
    X, faults = judge_columns(contract, {feature.name: columns[feature.name] for feature in features}, table.num_rows)
    # To Arrow "nan" is a number, and a name between blanks another name.
    doubts = {fault.kind for found in faults.values() for fault in found.values()}
    if doubts & {"unknown category", "not a finite number"}:
        return None
    return Rows(start, X, faults, [columns[name] for name in keep])


def _read_exactly(shard: Shard, text: bytes, start: int, contract: Contract, keep: Sequence[str], n: int) -> Rows:
    """Return the rows of a text, judged cell by cell. Raises DataError."""
    line = io.StringIO()
    writer(line).writerow(shard.header)
    try:
        cells = read_cells(line.getvalue().encode() + text)
    except ApplicationError as err:
        fault = next(iter(err.fields.values()))
        raise DataError(f"{shard.file.address}: rows {start:,} to {start + n - 1:,}: {fault}") from err
    at = np.fromiter(cells.rows, np.int64)
    by_name = dict(zip(cells.header, cells.columns, strict=True))
    X = np.full((n, len(contract.scored)), np.nan)
    faults = {"": _uneven(cells, n)}
    for feature in contract.features:
        if feature.name in by_name:
            numbers, found = _encode_cells(feature, by_name[feature.name])
            faults[feature.name] = {int(at[row]): fault for row, fault in found.items()}
            if feature.scored:
                X[at, contract.scored.index(feature)] = numbers
    kept = [_texts(by_name[name], at, n) for name in keep]
    return Rows(start, X, {name: found for name, found in faults.items() if found}, kept)


def _uneven(cells: Cells, n: int) -> Faults:
    """Return the fault of each row with too few or too many cells; the empty lines at the end were not read."""
    expected = f"{len(cells.header)} cells"
    last = len(cells.rows) + len(cells.uneven)
    return {row: Fault("wrong number of cells", expected) for row in (*cells.uneven, *range(last, n))}


def _encode_cells(feature: Feature, cells: Sequence[str]) -> tuple[np.ndarray, Faults]:
    if feature.scored:
        return feature.encode_cells(cells)
    values = list(map(feature.parse, cells))
    given = [row for row, value in enumerate(values) if value is not None]  # absent means unknown
    _, found = feature.encode_column([values[row] for row in given])
    return np.empty(0), {given[row]: fault for row, fault in found.items()}


def _texts(cells: Sequence[str], at: np.ndarray, n: int) -> pa.Array:
    texts: list[str | None] = [None] * n
    for row, cell in zip(at.tolist(), cells, strict=True):
        texts[row] = cell or None
    return pa.array(texts, pa.string())
