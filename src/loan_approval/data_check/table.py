"""Reads a CSV and records what breaks the contract by column, kind and row, never by value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from loan_approval.data.csv_files import contract_columns, decode_column, encode_target, header_problems, read_cells
from loan_approval.data.datasets import dataset_folder, find_csv, load_contract
from loan_approval.data.refused import Broken, Refused, break_columns, break_rules, break_widths
from loan_approval.data.rows import name_rows
from loan_approval.drift.drift import Finding
from loan_approval.errors import DataError
from loan_approval.project import ROOT, sha256_of
from serve.contract.columns import encode_cells
from serve.contract.contract import Contract
from serve.contract.fault import Fault
from serve.contract.tables import count_cells

MOST_FAULTY = 0.5  # share of a column's cells


@dataclass(frozen=True)
class Table:
    """A CSV of n rows under a contract.

    frame: (n, k) the rows and columns that satisfy the contract, in its order: numbers, category names, the target as
    code 1 or 0; NaN or None where missing. A column is left out when more than `MOST_FAULTY` of its cells break the
    contract, else the rows of these cells are.   remarks: on rows of the file that are no part of it.
    """

    frame: pd.DataFrame
    refused: Refused
    sha256: str
    remarks: Sequence[str] = ()

    @property
    def broken(self) -> list[Finding]:
        """A severe finding for each rule that is broken."""
        return [_find(each) for each in self.refused.broken]


@dataclass(frozen=True)
class Tables:
    """New data of a data set and their reference, read by its contract; `notes` say what the reference is."""

    name: str
    contract: Contract
    current: Table
    reference: Table
    notes: list[Finding]


def read_tables(
    dataset: str, csv: str = "", reference_csv: str = "", reference_notes: Sequence[Sequence[str]] = ()
) -> Tables:
    """Read new data and their reference; paths are relative to the project's root.

    csv: the new data, "" for the data set's own.   reference_csv: the reference, "" for production's training data.
    reference_notes: what `find_reference` returned with `reference_csv`; without them, it is called here.
    Raises DataError when a file can't be read as a table or the reference is missing.
    """
    folder = dataset_folder(dataset)
    contract = load_contract(folder)
    if not reference_notes:
        from loan_approval.data_check.reference import find_reference  # loads MLflow, which takes seconds

        reference_csv, reference_notes = find_reference(dataset, reference_csv).values()
    current = read_table(ROOT / csv if csv else find_csv(folder), contract)
    reference = read_table(ROOT / reference_csv, contract)
    if reference.frame.empty:
        raise DataError(f"{ROOT / reference_csv}: as a reference it has no row or column that keeps the contract")
    notes = [Finding("reference", *note) for note in reference_notes]
    notes += [Finding("contract", "file", "ok", remark) for remark in current.remarks]
    if current.sha256 == reference.sha256:
        notes.append(Finding("reference", "file", "ok", "the new data are the reference itself"))
    return Tables(folder.name, contract, current, reference, notes)


def read_table(path: Path, contract: Contract) -> Table:
    """Read a CSV and find all that breaks the contract: whatever `read_dataset` refuses, except a table without rows.

    Raises DataError when the file is no table, or has none of the contract's columns.
    """
    remarks: list[str] = []
    header, rows = read_cells(path, contract, remarks)
    if any("\0" in cell for row in (header, *rows) for cell in row):
        raise DataError(f"{path}: it holds zero bytes, expected a CSV in UTF-8")
    # A first line with none of the names is no header: its cells may be an applicant's, so no report may show them.
    if set(header).isdisjoint(names := contract_columns(contract)):
        raise DataError(f"{path}: none of the contract's columns is in its first line, expected {', '.join(names)}")
    problems = header_problems(header, contract)
    even = [row for row in rows if len(row) == len(header)]
    broken = break_columns(problems) + break_widths({row.line: len(row) for row in rows}, len(header))
    columns = dict(zip(header, zip(*even, strict=True), strict=False))
    columns |= count_cells(contract, columns)
    frame, faulty = pd.DataFrame(index=range(len(even))), set()
    for name in names:
        if name in header and name not in dict(problems) and name != contract.group_key:
            column, faults = _read_column(name, columns.get(name, ()), contract)
            broken += break_rules(name, {even[row].line: fault for row, fault in faults.items()})
            if len(faults) <= MOST_FAULTY * len(even):
                frame[name] = column
                faulty.update(faults)
    kept = frame.drop(index=sorted(faulty)).reset_index(drop=True)
    return Table(kept, Refused(len(rows), broken), sha256_of(path), remarks)


def _read_column(name: str, cells: Sequence[str], contract: Contract) -> tuple[object, dict[int, Fault]]:
    """Return (n,) values, and the fault of each row that has one."""
    feature = next((feature for feature in contract.features if feature.name == name), None)
    if feature is None:
        codes, faults = encode_target(cells, contract)
        return codes.astype(float), faults
    encoded, faults = encode_cells(feature, cells)
    return decode_column(feature, encoded), faults


def _find(broken: Broken) -> Finding:
    """Return the finding that a rule is broken, with the first rows that do, by their line in the file."""
    if not broken.lines:
        return Finding("contract", broken.column, "severe", broken.rule)
    numbers = {"rows": len(broken.lines), "rule": broken.rule}
    return Finding("contract", broken.column, "severe", f"{broken.rule}: {name_rows(broken.lines)}", numbers)
