"""A CSV read as far as it keeps the contract: what breaks it is counted by column, kind and row, without any value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.data.datasets import header_problems, read_cells
from loan_approval.drift.drift import Finding
from loan_approval.errors import DataError
from loan_approval.project import sha256_of
from serve.contract.contract import Contract
from serve.contract.feature import Fault, Feature

ROWS_NAMED = 10
LONGEST_NAME = 60  # characters of a column's name: it is whatever the file's first line holds


@dataclass(frozen=True)
class Table:
    """A CSV of n rows against a contract.

    frame: (n, k) the k columns that keep the contract, in its order: numbers, category names, the target as code 1 or
    0; NaN or None where missing.   broken: what breaks the contract, all of it severe.
    """

    frame: pd.DataFrame
    broken: list[Finding]
    sha256: str


def read_table(path: Path, contract: Contract) -> Table:
    """Read a CSV and note all that breaks the contract: exactly where `datasets.read_dataset` refuses it, a header
    without rows aside. Raises DataError when the file is no table, or has none of the contract's columns.
    """
    header, rows = read_cells(path)
    _check_is_table(path, header, rows, contract)
    problems = header_problems(header, contract)
    broken = [_broken_column(name, words) for name, words in problems]
    numbered = [(number, row) for number, row in enumerate(rows, 2) if len(row) == len(header)]
    if len(numbered) < len(rows):
        ragged = [number for number, row in enumerate(rows, 2) if len(row) != len(header)]
        words = f"expected {len(header)} cells a row as in the header: {_name_rows(ragged)}"
        broken.append(Finding("contract", "rows", "severe", words, {"rows": len(ragged)}))
    columns = dict(zip(header, zip(*(row for _, row in numbered), strict=True), strict=False))
    usable = set(header) - {name for name, _ in problems}
    frame = pd.DataFrame(index=range(len(numbered)))
    for name in (*(feature.name for feature in contract.features), contract.target.name):
        if name in usable:
            column, faults = _read_column(name, columns.get(name, ()), contract)
            if faults:
                broken += _describe_faults(name, faults, [number for number, _ in numbered])
            else:
                frame[name] = column
    return Table(frame, broken, sha256_of(path))


def only(contract: Contract, names: Sequence[str]) -> Contract:
    """Return a contract that has no other features than these."""
    return replace(contract, features=tuple(feature for feature in contract.features if feature.name in names))


def shared_columns(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """Return the columns in which both tables hold values: what there is to compare."""
    full = set(reference.columns[reference.notna().any()]) & set(current.columns[current.notna().any()])
    return [name for name in reference.columns if name in full]


def _check_is_table(path: Path, header: list[str], rows: list[list[str]], contract: Contract) -> None:
    expected = [*(feature.name for feature in contract.features), contract.target.name]
    if not header:
        raise DataError(f"{path}: the file is empty, expected a header with {', '.join(expected)}")
    if any("\0" in cell for row in (header, *rows) for cell in row):
        raise DataError(f"{path}: it holds zero bytes, expected a CSV in UTF-8")
    # A first line with none of the names is no header: its cells may be an applicant's, so no report may show them.
    if not set(header) & set(expected):
        raise DataError(f"{path}: none of the contract's columns is in its first line, expected {', '.join(expected)}")


def _read_column(name: str, cells: Sequence[str], contract: Contract) -> tuple[object, dict[int, Fault]]:
    """Return (n,) values and the fault of each cell that has one."""
    feature = next((feature for feature in contract.features if feature.name == name), None)
    if feature is None:
        return _read_target(cells, contract)
    encoded, faults = feature.encode_column(list(map(feature.parse, cells)))
    return (encoded if faults else _decode(feature, encoded)), faults


def _read_target(cells: Sequence[str], contract: Contract) -> tuple[np.ndarray, dict[int, Fault]]:
    codes, faults = np.zeros(len(cells)), {}
    for row, cell in enumerate(cells):
        try:
            codes[row] = contract.target.encode(cell)
        except Fault as fault:
            faults[row] = fault
    return codes, faults


def _decode(feature: Feature, encoded: np.ndarray) -> object:
    if not feature.is_category:
        return encoded
    return pd.Series([feature.decode(number) for number in encoded], dtype=object)


def _broken_column(name: str, words: str) -> Finding:
    return Finding("contract", name[:LONGEST_NAME], "severe", f"the column {words}", {})


def _describe_faults(name: str, faults: dict[int, Fault], numbers: Sequence[int]) -> list[Finding]:
    """Return a finding for each kind of fault in a column. numbers: the row of the file that each row of it is."""
    found = []
    for kind in dict.fromkeys(fault.kind for fault in faults.values()):
        rows = [numbers[row] for row, fault in faults.items() if fault.kind == kind]
        expected = next(fault.expected for fault in faults.values() if fault.kind == kind)
        words = f"{kind}, expected {expected}: {_name_rows(rows)}"
        found.append(Finding("contract", name, "severe", words, {"rows": len(rows)}))
    return found


def _name_rows(rows: Sequence[int]) -> str:
    """Return which rows of the file, counted as its lines are, the header being the first."""
    more = f" and {len(rows) - ROWS_NAMED:,} more" if len(rows) > ROWS_NAMED else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, rows[:ROWS_NAMED]))}{more}"
