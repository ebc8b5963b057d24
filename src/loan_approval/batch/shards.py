"""Shards: some rows of one input file each, which are read, scored and committed independently."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
from pyarrow import parquet as pq

from loan_approval.batch.columns import check_columns
from loan_approval.batch.csv_blocks import Block, find_blocks
from loan_approval.batch.files import InputFile, attempt, open_file
from loan_approval.errors import DataError
from serve.contract.contract import Contract

ROWS = 250_000  # about half a second of a gradient-boosted model: a lost shard is cheap, and so is its file
CSV_BYTES = 2**24
MOST_PIECES = 8  # of one row group: each piece reads the rows before it as well
MAX_SHARD_ROWS = 2_000_000  # a shard's decisions stay in memory until they are written


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `start + rows` of a file, which is the batch's `number`th; of a CSV, its blocks."""

    file: InputFile
    number: int
    start: int
    rows: int
    header: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def words(self) -> str:
        """The shard in a message."""
        return f"{self.file.name}, rows {self.start:,} to {self.start + self.rows - 1:,}"

    def part(self, job: str) -> str:
        """Return the name of its part of the output: sorted as the rows are, and unique to this job."""
        identity = f"{job} {self.file.address} {self.file.size} {self.file.version} {self.start} {self.rows}"
        digest = hashlib.sha256(identity.encode()).hexdigest()
        return f"part-{self.number:05d}-{self.start:012d}-{digest[:12]}.parquet"


def plan_shards(
    files: Sequence[InputFile], contract: Contract, keep: Sequence[str] = (), ignore_unknown: bool = False
) -> list[Shard]:
    """Return the shards of all files, in order. Raises DataError, BatchError when a file or column can't be used."""
    kept: dict[str, pa.DataType] = {}
    shards: list[Shard] = []
    for number, file in enumerate(files):
        plan = _plan_csv if file.is_csv else _plan_parquet
        columns, file_shards = plan(file, number)
        check_columns(file, columns, contract, keep, ignore_unknown)
        for name, kind in columns:
            if name in keep and kept.setdefault(name, kind) != kind:
                message = f"column {name!r} is {kind}, expected {kept[name]} as in the first file"
                raise DataError(f"{file.address}: {message}")
        shards += file_shards
    if not shards:
        raise DataError(f"{files[0].address}: no rows, expected at least one application")
    return shards


def _plan_csv(file: InputFile, number: int) -> tuple[list[tuple[str, pa.DataType]], list[Shard]]:
    with open_file(file.place) as source:
        header, blocks = attempt(file.address, find_blocks, source, source.size(), file.address)
    shards, start = [], 0
    for group in _group(blocks):
        rows = sum(block.rows for block in group)
        shards.append(Shard(file, number, start, rows, header, tuple(group)))
        start += rows
    return [(name, pa.string()) for name in header], shards


def _group(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    group: list[Block] = []
    for block in blocks:
        size, rows = sum(each.size for each in group), sum(each.rows for each in group)
        if group and (size + block.size > CSV_BYTES or rows + block.rows > ROWS):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _plan_parquet(file: InputFile, number: int) -> tuple[list[tuple[str, pa.DataType]], list[Shard]]:
    with open_parquet(file) as source:
        metadata, schema = source.metadata, source.schema_arrow
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    shards = [Shard(file, number, begin, end - begin) for begin, end in _cut(groups)]
    return [(field.name, field.type) for field in schema], shards


def _cut(groups: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each shard's begin and end: between small row groups, within large ones."""
    begin = end = 0
    for rows in groups:
        if end > begin and end + rows - begin > ROWS:
            yield begin, end
            begin = end
        end += rows
        if end - begin > ROWS:  # one large group
            pieces = max(min(-(-rows // ROWS), MOST_PIECES), -(-rows // MAX_SHARD_ROWS))
            yield from pairwise(begin + rows * piece // pieces for piece in range(pieces + 1))
            begin = end
    if end > begin:
        yield begin, end


def open_parquet(file: InputFile) -> pq.ParquetFile:
    """Open a Parquet file to stream from it. Raises BatchError, DataError."""
    try:
        # A buffer instead of whole column chunks: memory stays flat however large a row group is.
        return pq.ParquetFile(
            open_file(file.address), buffer_size=2**20, pre_buffer=False, page_checksum_verification=True
        )
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"{file.address}: not a Parquet file that can be read: {first_line(err)}") from err


def first_line(err: Exception) -> str:
    """Return what an error of Arrow says, without its stack."""
    return str(err).partition("\n")[0][:200]
