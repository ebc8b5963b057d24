"""The cells of a CSV are encoded by the contract, and what breaks it is kept with its row."""

from pathlib import Path

import numpy as np
import pytest

from loan_approval.data.cells import read_columns
from loan_approval.data.refused import Broken
from loan_approval.errors import DataError
from serve.contract.contract import Contract

HEADER = "home,amount,region,children,granted"
ROWS = ["own,10,north,1,yes", "own,777,north,1,maybe", "rent,ten,south,2,no"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


def test_a_problem_is_named_by_row_and_column_and_told_by_line_and_value(path: Path, homes_contract: Contract) -> None:
    cells = read_columns(path, homes_contract)
    assert [(row, column, fault.kind) for row, column, fault in cells.problems] == [
        (1, "amount", "out of range"),
        (1, "granted", "neither label"),
        (2, "amount", "not a number"),
    ]
    assert "row 3: amount='777': out of range" in cells.describe_problems(path)
    assert [(each.column, list(each.lines)) for each in cells.broken_rules()] == [
        ("amount", [3]), ("amount", [4]), ("granted", [3])
    ]  # fmt: skip


def test_cells_are_encoded(path: Path, homes_contract: Contract) -> None:
    cells = read_columns(path, homes_contract)
    assert cells.encoded[0].tolist() == [0, 10, 0, 1]
    assert (cells.lines, np.shape(cells.encoded)) == ([2, 3, 4], (3, 4))


def test_other_columns_and_uneven_rows_are_put_aside_where_asked_for_and_refused_otherwise(
    path: Path, homes_contract: Contract
) -> None:
    path.write_text("\n".join([HEADER + ",shoe_size", *(row + ",44" for row in ROWS), "own,1"]))
    with pytest.raises(DataError, match="column 'shoe_size' is not in the contract"):
        read_columns(path, homes_contract)
    broken: list[Broken] = []
    cells = read_columns(path, homes_contract, broken)
    assert [(each.column, list(each.lines)) for each in broken] == [("shoe_size", []), ("rows", [5])]
    assert cells.lines == [2, 3, 4]


def test_a_column_that_is_missing_is_refused_all_the_same(path: Path, homes_contract: Contract) -> None:
    path.write_text("home,amount,region,children\nown,10,north,1\n")
    with pytest.raises(DataError, match="column 'granted' is missing"):
        read_columns(path, homes_contract, [])
