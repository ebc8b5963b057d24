"""The cells of a data set's CSV: read, encoded by the contract, and what breaks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from loan_approval.data.csv_files import contract_columns, encode_features, encode_target, header_problems, read_cells
from loan_approval.data.folders import summary
from loan_approval.data.refused import Broken, break_columns, break_rules, break_widths
from loan_approval.errors import DataError
from serve.contract.contract import Contract
from serve.contract.fault import Fault
from serve.contract.numbers import count

LONGEST_SHOWN = 60  # characters of a cell


@dataclass(frozen=True)
class Cells:
    """The n rows of a CSV.

    columns: their cells as text.   lines: (n,) of the file.   encoded: (n, k) features.   y: (n,) codes.
    problems: (row, column, fault) of each cell that breaks the contract, in the order of the rows.
    """

    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    encoded: np.ndarray
    y: np.ndarray
    problems: Sequence[tuple[int, str, Fault]]

    def broken_rules(self) -> list[Broken]:
        """Return the problems by column and kind."""
        faults: dict[str, dict[int, Fault]] = {}
        for row, column, fault in self.problems:
            faults.setdefault(column, {})[self.lines[row]] = fault
        return list(chain.from_iterable(break_rules(*each) for each in faults.items()))

    def describe_problems(self, path: Path) -> str:
        """Return the problems in words, with the values at fault, for a local terminal."""
        words = []
        for row, column, fault in self.problems:
            cell = self.columns[column][row]
            shown = cell if len(cell) <= LONGEST_SHOWN else f"{cell[:LONGEST_SHOWN]}…"
            words.append(f"row {self.lines[row]}: {column}={shown!r}: {fault}")
        return summary(path, words)


def read_columns(path: Path, contract: Contract, broken: list[Broken] | None = None) -> Cells:
    """Read a CSV and encode its cells.

    broken: where columns that the contract does not name, and rows of another length than the header, are put; without
    it, they are problems of the file.
    Raises DataError when the file is no table of the contract's columns.
    """
    header, rows = read_cells(path, contract)
    problems = header_problems(header, contract)
    if broken is not None:
        known = contract_columns(contract)
        broken += break_columns([each for each in problems if each[0] not in known])
        broken += break_widths({row.line: len(row) for row in rows}, len(header))
        problems = [each for each in problems if each[0] in known]
        rows = [row for row in rows if len(row) == len(header)]
    if problems:
        raise DataError(summary(path, [f"column {name!r} {problem}" for name, problem in problems]))
    if uneven := [row for row in rows if len(row) != len(header)]:
        words = [f"row {row.line}: {count(len(row), 'cell')}, expected {len(header)}" for row in uneven]
        raise DataError(summary(path, words))
    if not rows:
        raise DataError(f"{path}: no rows below the header")
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    return Cells(columns, [row.line for row in rows], *_encode(columns, contract))


def _encode(
    columns: Mapping[str, Sequence[str]], contract: Contract
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str, Fault]]]:
    target = contract.target.name
    encoded, problems = encode_features(columns, contract)
    y, faults = encode_target(columns[target], contract)
    problems += [(row, target, fault) for row, fault in faults.items()]
    return encoded, y, sorted(problems, key=lambda problem: problem[0])
