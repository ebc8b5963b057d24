"""Reads a data set's CSV as text, and converts its columns by the contract."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.data.folders import summary
from loan_approval.data.reading import PARQUET, read_lines
from loan_approval.data.rows import Row, number_rows
from loan_approval.data.source import Source, clean_like_source, is_like_source
from loan_approval.errors import DataError
from serve.contract.columns import encode_cells
from serve.contract.contract import Contract
from serve.contract.fault import Fault
from serve.contract.feature import Feature
from serve.contract.tables import count_cells


def read_cells(path: Path, contract: Contract | None = None, remarks: list[str] | None = None) -> tuple[Row, list[Row]]:
    """Return the header and the rows of a CSV, as text, each with its line.

    remarks: gets one on rows that are left out.
    Raises DataError when the file can't be read as a CSV, and under a contract when it is empty.
    """
    try:
        data = path.read_bytes()
        if contract and is_like_source(data, contract):
            return _fill_absent(*_read_like_source(path, data, contract, [] if remarks is None else remarks), contract)
        text = data.decode("utf-8-sig")
        header, *rows = list(number_rows(csv.reader(io.StringIO(text, newline=""), strict=True))) or [Row((), 1)]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as err:
        raise DataError(f"{path}: can't be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        line = err.object[: err.start].count(b"\n") + 1
        raise DataError(f"{path}: line {line}: byte {err.start} is not UTF-8, expected a CSV in UTF-8") from err
    except DataError as err:
        raise DataError(f"{path}: {err}") from err
    if contract and not header:
        names = ", ".join(contract_columns(contract))
        raise DataError(f"{path}: the file is empty, expected a header with {names}")
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        raise DataError(summary(path, ["the header is one column, expected commas between the cells"]))
    while rows and not rows[-1]:
        rows.pop()  # only empty lines at the end are ignored
    return _fill_absent(header, rows, contract) if contract else (header, rows)


def _read_like_source(path: Path, data: bytes, contract: Contract, remarks: list[str]) -> tuple[Row, list[Row]]:
    try:
        source, is_parquet = Source.of(contract) or Source(), path.suffix.casefold() in PARQUET
        header, *rows = clean_like_source(
            read_lines(io.BytesIO(data), source, is_parquet, remarks), contract, source, remarks
        )
    except (UnicodeError, DataError) as err:
        raise DataError(f"can't be read as the contract's [source] says: {err}") from err
    return header, rows


def _fill_absent(header: Row, rows: list[Row], contract: Contract) -> tuple[Row, list[Row]]:
    """Return a table with an empty column for each absent feature that may be missing, as the server reads it."""
    absent = [feature.name for feature in contract.features if feature.missing and feature.name not in header]
    known = not set(header).isdisjoint(contract_columns(contract))
    if not absent or not known:
        return header, rows
    for row in rows:
        row += [""] * (len(absent) * (len(row) == len(header)))
    return Row((*header, *absent), header.line), rows


def contract_columns(contract: Contract) -> list[str]:
    """Return the columns of a CSV under a contract: its features, the group key if it has one, then the target."""
    key = [contract.group_key] if contract.group_key else []
    return [*(feature.name for feature in contract.features), *key, contract.target.name]


def header_problems(header: list[str], contract: Contract) -> list[tuple[str, str]]:
    """Return each (column, problem) in which a header differs from the contract's columns."""
    expected = contract_columns(contract)
    names = list(dict.fromkeys(header))
    problems = [(name, "stands twice") for name in names if header.count(name) > 1]
    problems += [(name, "is missing") for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    return problems + [(name, f"is {contract.refusals.get(name, 'not in the contract')}") for name in unknown]


def encode_features(
    cells: Mapping[str, Sequence[str]], contract: Contract
) -> tuple[np.ndarray, list[tuple[int, str, Fault]]]:
    """Return (n, k) float64 over the contract's features, and each (row, feature, fault).

    cells: the n cells of each feature.
    """
    cells = {**cells, **count_cells(contract, cells)}
    encoded, problems = np.empty((len(cells[contract.features[0].name]), len(contract.features))), []
    for column, feature in enumerate(contract.features):
        encoded[:, column], faults = encode_cells(feature, cells[feature.name])
        problems += [(row, feature.name, fault) for row, fault in faults.items()]
    return encoded, problems


def encode_target(cells: Sequence[str], contract: Contract) -> tuple[np.ndarray, dict[int, Fault]]:
    """Return (n,) codes 1 or 0, and the fault of each row that has one."""
    codes, faults = np.zeros(len(cells), dtype=np.int64), {}
    for row, cell in enumerate(cells):
        try:
            codes[row] = contract.target.encode(cell)
        except Fault as fault:
            faults[row] = fault
    return codes, faults


def decode_column(feature: Feature, encoded: np.ndarray) -> np.ndarray | pd.Series:
    """Return the (n,) values of a feature: numbers, or the names of categories, None where missing."""
    if not feature.is_category:
        return encoded
    return pd.Series([feature.decode(number) for number in encoded], dtype=object)
