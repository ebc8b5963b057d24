"""Clean copies of inputs that are written as the data set's source was: other separators, decimal commas, markers."""

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from loan_approval.batch.files import InputFile, attempt, open_file
from loan_approval.data.reading import is_excel, read_excel
from loan_approval.data.rows import SAMPLE, number_rows, split_rows
from loan_approval.data.source import Source, clean_like_source, is_like_source
from loan_approval.errors import BatchError, DataError
from serve.contract.contract import Contract


@contextmanager
def clean_copies(files: Sequence[InputFile], contract: Contract, keep: Sequence[str]) -> Iterator[list[InputFile]]:
    """Yield the files, those that need it with a clean copy, which is there as long as the context.

    keep: columns that stay although the data set leaves them out.   Raises DataError, BatchError.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield [_with_copy(file, Path(folder, f"{n}.csv"), contract, keep) for n, file in enumerate(files)]


def _with_copy(file: InputFile, path: Path, contract: Contract, keep: Sequence[str]) -> InputFile:
    if not file.is_csv:
        return file
    with open_file(file.address) as opened:
        sample = attempt(file.address, opened.read, SAMPLE)
        like_source = is_like_source(sample, contract)
        # A file that is clean but for lines that end in CR alone is copied with other line ends.
        if not like_source and not is_excel(sample) and sample[:-1].count(b"\r") == sample.count(b"\r\n"):
            return file
        if os.environ.get("DASK_SCHEDULER_ADDRESS"):
            raise BatchError(f"{file.address}: not clean; on a cluster expected CSV as init writes it")
        source = (Source.of(contract) if like_source else None) or Source()
        left_out = {name: why for name, why in source.left_out.items() if name not in keep}
        # Every row is to be decided, labelled or not.
        source = replace(source, left_out=left_out, drop_unlabelled=False)
        opened.seek(0)
        try:
            with path.open("w", encoding="utf-8", newline="") as copy:
                csv.writer(copy, lineterminator="\n").writerows(_clean(opened, file, source, contract, like_source))
        except (UnicodeError, DataError) as err:
            raise DataError(f"{file.address}: can't be read as the contract's [source] says: {err}") from err
    return replace(file, copy=str(path))


def _clean(
    opened: io.BufferedIOBase, file: InputFile, source: Source, contract: Contract, like_source: bool
) -> Iterator[list[str]]:
    if is_excel(attempt(file.address, opened.read, 4)):
        opened.seek(0)
        return clean_like_source(iter(read_excel(opened.read())[0]), contract, source)
    opened.seek(0)
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    text = io.TextIOWrapper(opened, encoding, newline="")
    if like_source:
        return clean_like_source(split_rows(text, source.separator), contract, source)
    return number_rows(csv.reader(text, strict=True))
