"""Clean copies of inputs that are written as the data set's source was: other separators, decimal commas, markers."""

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from pyarrow import types

from loan_approval.batch.columns import is_text, suits
from loan_approval.batch.files import InputFile, attempt, open_file
from loan_approval.batch.shards import open_parquet
from loan_approval.data.reading import read_lines
from loan_approval.data.rows import SAMPLE, number_rows
from loan_approval.data.source import Source, clean_like_source, is_like_source
from loan_approval.data.workbooks import is_excel
from loan_approval.errors import BatchError, DataError
from serve.contract.contract import Contract


@contextmanager
def clean_copies(
    files: Sequence[InputFile],
    contract: Contract,
    keep: Sequence[str],
    report: Callable[[str], None] = lambda text: None,
) -> Iterator[list[InputFile]]:
    """Yield the files, those that need it with a clean copy, which is there as long as the context.

    keep: columns that stay although the data set leaves them out.   report: is told of rows that are left out.
    Raises DataError, BatchError.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield [_with_copy(file, Path(folder, f"{n}.csv"), contract, keep, report) for n, file in enumerate(files)]


def _with_copy(
    file: InputFile, path: Path, contract: Contract, keep: Sequence[str], report: Callable[[str], None]
) -> InputFile:
    with open_file(file.address) as opened:
        sample = attempt(file.address, opened.read, SAMPLE)
        like_source = is_like_source(sample, contract) if file.is_csv else _has_texts_of_source(file, contract)
        # A file that is clean but for lines that end in CR alone is copied with other line ends.
        needs_lines = file.is_csv and sample[:-1].count(b"\r") != sample.count(b"\r\n")
        if not like_source and not is_excel(sample) and not needs_lines:
            return file
        if os.environ.get("DASK_SCHEDULER_ADDRESS"):
            raise BatchError(f"{file.address}: not clean; on a cluster expected CSV as init writes it")
        source = (Source.of(contract) if like_source else None) or Source()
        left_out = {name: why for name, why in source.left_out.items() if name not in keep}
        # Every row is to be decided, labelled or not.
        source = replace(source, left_out=left_out, drop_unlabelled=False)
        opened.seek(0)
        remarks: list[str] = []
        try:
            with path.open("w", encoding="utf-8", newline="") as copy:
                if like_source or is_excel(sample):
                    lines = read_lines(opened, source, not file.is_csv, remarks)
                    rows = clean_like_source(lines, contract, source, remarks)
                else:
                    rows = number_rows(csv.reader(io.TextIOWrapper(opened, "utf-8-sig", newline=""), strict=True))
                csv.writer(copy, lineterminator="\n").writerows(rows)
        except (UnicodeError, DataError) as err:
            raise DataError(f"{file.address}: can't be read as the contract's [source] says: {err}") from err
    for remark in remarks:
        report(f"{file.address}: {remark}")
    return replace(file, copy=str(path))


def _has_texts_of_source(file: InputFile, contract: Contract) -> bool:
    """Return whether Parquet has columns that a contract's [source] says how to read, and no other unsuitable one."""
    source = Source.of(contract)
    if source is None:
        return False
    with open_parquet(file) as opened:
        kinds = {field.name: field.type for field in opened.schema_arrow}
    features = [feature for feature in contract.features if feature.name in kinds]
    unsuitable = [kinds[feature.name] for feature in features if not suits(feature, kinds[feature.name])]
    marked = [name for name in (*source.missing, *source.dates) if name in kinds and is_text(kinds[name])]
    return bool(unsuitable or marked) and all(map(_is_read_as_text, unsuitable))


def _is_read_as_text(kind: pa.DataType) -> bool:
    return is_text(kind) or types.is_decimal(kind) or types.is_timestamp(kind)
