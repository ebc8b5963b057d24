from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loan_approval.data.csv_files import decode_column, encode_features, encode_target, header_problems, read_cells
from loan_approval.errors import DataError
from serve.contract.contract import Contract

HEADER = ["home", "amount", "region", "children", "granted"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'a,b\n"1,2\n', "line 2: not a CSV"),
        ("a,b\nR\u00e9,2\n".encode("latin-1"), "line 2: byte 5 is not UTF-8, expected a CSV in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "byte 0 is not UTF-8"),
        (b"a;b\n1;2\n", "expected commas between the cells"),
    ],
)
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "dataset.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_cells(tmp_path / "dataset.csv")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read_cells(tmp_path / "none.csv")


def test_only_empty_lines_at_the_end_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "dataset.csv").write_text("a,b\n1,2\n\n3,4\n\n\n")
    assert read_cells(tmp_path / "dataset.csv") == (["a", "b"], [["1", "2"], [], ["3", "4"]])


@pytest.mark.parametrize(
    ("header", "problems"),
    [
        (HEADER, []),
        (HEADER[:-1], [("granted", "is missing")]),
        ([*HEADER, "home"], [("home", "stands twice")]),
        ([*HEADER, "id"], [("id", "is not in the contract")]),
    ],
)
def test_a_header_must_hold_the_contracts_columns_once(
    homes_contract: Contract, header: list[str], problems: list[tuple[str, str]]
) -> None:
    assert header_problems(header, homes_contract) == problems


def test_labels_become_codes_and_each_other_cell_a_fault(homes_contract: Contract) -> None:
    codes, faults = encode_target(["yes", "no", "maybe"], homes_contract)
    assert codes[:2].tolist() == [1, 0]
    assert [(row, fault.kind) for row, fault in faults.items()] == [(2, "neither label")]


def test_categories_are_decoded_to_their_names(homes_contract: Contract) -> None:
    home, amount, *_ = homes_contract.features
    assert decode_column(home, np.array([1.0, np.nan])).tolist() == ["rent", None]
    assert decode_column(amount, np.array([1.0])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("amount", "problems"), [([" 5", "", "1e1", "07"], []), (["5", "x", "101", ""], [(1, "amount"), (2, "amount")])]
)
def test_columns_of_cells_are_encoded_as_their_values_are(homes_contract, amount, problems):
    columns = {feature.name: [str(feature.example)] * 4 for feature in homes_contract.features} | {"amount": amount}
    contract = replace(
        homes_contract,
        features=tuple(replace(feature, missing=True) for feature in homes_contract.features),
    )
    encoded, found = encode_features(columns, contract)
    parsed = {feature.name: list(map(feature.parse, columns[feature.name])) for feature in contract.features}
    expected, faults = contract.encode_table(parsed, contract.features)
    np.testing.assert_array_equal(encoded, expected)
    assert [(row, name, str(fault)) for row, name, fault in found] == [(r, n, str(f)) for r, n, f in faults]
    assert [(row, name) for row, name, _ in found] == problems
