import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loan_approval.data import datasets
from loan_approval.data.datasets import describe_data, load_dataset, read_dataset, read_kept_rows
from loan_approval.data.splits import SPLITS
from loan_approval.errors import DataError
from serve.contract.contract import Contract

CASES = json.loads((Path(__file__).parents[2] / "cases.json").read_text(encoding="utf-8"))["cases"]
HEADER = "home,amount,region,children,granted"
RIGHT = "own,10,north,1,yes"


@pytest.fixture
def read(tmp_path, homes_contract):
    """Return a function that reads a text, or bytes, as the data set of the contract with a category."""

    def read_text(content):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "dataset.csv").write_bytes(data)
        return read_dataset(tmp_path / "dataset.csv", homes_contract, "homes")

    return read_text


GROUPED = "customer,home,amount,region,children,granted\n" + "".join(
    f"c{row // 4},own,{row / 4},north,1,{'yes' if row % 3 else 'no'}\n" for row in range(400)
)


@pytest.fixture
def grouped(tmp_path, homes_contract):
    """The homes with four rows a customer."""
    (tmp_path / "dataset.csv").write_text(GROUPED)
    return read_dataset(tmp_path / "dataset.csv", replace(homes_contract, split_by="customer"), "homes")


def refusal(read, content):
    with pytest.raises(DataError) as refused:
        read(content)
    return str(refused.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("own,ten,north,1,yes", "row 3: amount='ten': not a number, expected a number from 0 to 100"),
        ("own,101,north,1,yes", "row 3: amount='101': out of range, expected a number from 0 to 100"),
        ("own,-0.5,north,1,yes", "row 3: amount='-0.5': out of range, expected a number from 0 to 100"),
        ("own,1e999,north,1,yes", "row 3: amount='1e999': not a finite number, expected a number from 0 to 100"),
        ("own,inf,north,1,yes", "row 3: amount='inf': not a number, expected a number from 0 to 100"),
        ("own,nan,north,1,yes", "row 3: amount='nan': not a number, expected a number from 0 to 100"),
        ("own,,north,1,yes", "row 3: amount='': missing, expected a number from 0 to 100"),
        ("own,10,north,1.5,yes", "row 3: children='1.5': not a whole number, expected a whole number from 0 to 9 or"),
        ("boat,10,north,1,yes", "row 3: home='boat': unknown category, expected one of own, rent, other or null"),
        ("own,10,,1,yes", "row 3: region='': missing, expected one of north, south"),
        ("own,10,east,1,yes", "row 3: region='east': unknown category, expected one of north, south"),
        ("own,10,north,1,maybe", "row 3: granted='maybe': neither label, expected no (Denied) or yes (Granted)"),
        ("own,10,north,1,", "row 3: granted='': missing, expected no (Denied) or yes (Granted)"),
        ("own,10,north,1", "row 3: 4 cells, expected 5"),
        ("own,10,north,1,yes,yes", "row 3: 6 cells, expected 5"),
    ],
)
def test_a_fault_in_a_row_is_refused_with_row_column_value_and_expectation(read, row, message):
    assert message in refusal(read, f"{HEADER}\n{RIGHT}\n{row}\n{RIGHT}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("home,region,children,granted\nown,north,1,yes\n", "column 'amount' is missing"),
        (f"{HEADER},id\n{RIGHT},1\n", "column 'id' is not in the contract"),
        (f"{HEADER},home\n{RIGHT},own\n", "column 'home' stands twice"),
        (HEADER.replace("amount", "Amount") + "\n" + RIGHT, "column 'amount' is missing"),
        ("", "the file is empty, expected a header with home, amount, region, children, granted"),
        (f"{HEADER}\n", "no rows below the header"),
    ],
)
def test_what_is_no_table_of_the_contract_is_refused(read, content, message):
    assert message in refusal(read, content)


def test_an_absent_column_of_what_may_be_missing_is_missing_in_each_row(read):
    assert np.isnan(read("amount,region,granted\n10,north,yes\n20,south,no\n").X[:, [0, 2]]).all()


def test_a_column_that_the_contract_refuses_is_refused_by_name(tmp_path, homes_contract):
    document = homes_contract.to_dict()
    race = {"name": "race", "type": "category", "values": ["a", "b"], "use": "refuse", "example": "a"}
    path = tmp_path / "dataset.csv"
    path.write_text(f"{HEADER},race\n{RIGHT},a\n")
    with pytest.raises(DataError, match="column 'race' is not accepted, the contract refuses it"):
        read_dataset(path, Contract.from_dict(document | {"feature": [*document["feature"], race]}), "homes")


def test_problems_of_all_columns_are_named_at_once_in_row_order(read):
    words = refusal(read, f"{HEADER}\nown,10,north,1,maybe\nboat,101,north,x,yes\n").splitlines()
    assert "4 problems" in words[0]
    assert [line.split("=")[0].strip() for line in words[1:]] == [
        *("row 2: granted", "row 3: home", "row 3: amount", "row 3: children")
    ]


@pytest.mark.parametrize("row", ["own,101,north,1,yes", "own,1"])
def test_the_first_twenty_problems_are_shown_and_all_are_counted(read, row):
    words = refusal(read, "\n".join([HEADER, *[row] * 25]))
    assert "25 problems" in words
    assert words.count("row ") - words.count("(row 1") == 20
    assert words.endswith("and 5 more")


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}\n{RIGHT}\n",
        f"{HEADER}\r\n{RIGHT}\r\n",
        f"{HEADER}\n{RIGHT}\n\n",
        f"{HEADER}\n{RIGHT}",
        f"{HEADER}\n own , 1e1 ,north,+1.0, yes \n",
        "granted,children,amount,home,region\nyes,1,10,own,north\n",
    ],
    ids=["byte-order mark", "CRLF", "empty line", "no last newline", "spaces", "other column order"],
)
def test_the_same_row_is_read_whatever_the_form(read, content):
    dataset = read(content)
    np.testing.assert_array_equal(dataset.X, [[0, 10, 1]])
    assert dataset.y.tolist() == [1]


def test_the_frame_holds_values_and_the_matrix_what_the_graph_takes(read):
    dataset = read(f"{HEADER}\nrent,10,south,,no\n,20.5,north,3,yes\n")
    assert list(dataset.frame) == HEADER.split(",")
    assert dataset.frame["home"].tolist() == ["rent", None]
    assert dataset.frame["region"].tolist() == ["south", "north"]
    np.testing.assert_array_equal(dataset.X, [[1, 10, np.nan], [np.nan, 20.5, 3]])
    assert dataset.X.dtype == np.float64


def test_the_sha256_is_of_the_files_bytes(loans, loans_csv):
    assert loans.sha256 == hashlib.sha256(loans_csv.read_bytes()).hexdigest()


def cell(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["csv"] != "not expressible"], ids=lambda case: case["name"]
)
def test_the_loader_judges_the_case_as_the_server_does(tmp_path, loans_contract, case):
    names = [feature.name for feature in loans_contract.features]
    row = ",".join(f'"{cell(case["application"].get(name))}"' for name in names)
    (tmp_path / "dataset.csv").write_text(",".join([*names, "Loan_Approval"]) + f"\n{row},1\n", encoding="utf-8")
    if case["csv"] == "accepted" or not case["fields"]:
        assert len(read_dataset(tmp_path / "dataset.csv", loans_contract, "case").y) == 1
        return
    with pytest.raises(DataError) as refused:
        read_dataset(tmp_path / "dataset.csv", loans_contract, "case")
    problems = str(refused.value).splitlines()[1:]
    assert len(problems) == len(case["fields"])
    for name, part in case["fields"].items():
        assert [line for line in problems if f": {name}=" in line and part in line]


def test_no_row_is_in_two_splits(loans):
    rows = {split: {row.tobytes() for row in loans.rows(split)[0]} for split in SPLITS}
    assert rows["train"].isdisjoint(rows["test"] | rows["calibrate"])
    assert rows["test"].isdisjoint(rows["calibrate"])


def test_splits_do_not_depend_on_the_label_nor_on_monitored_features(read):
    rows = [f"own,{amount},north,1,yes" for amount in range(40)]
    changed = [row.replace("north", "south").replace("yes", "no") for row in rows]
    one, other = (read("\n".join([HEADER, *each])).splits.tolist() for each in (rows, changed))
    assert one == other


def test_rows_are_those_of_the_split(loans):
    X, y = loans.rows("test")
    np.testing.assert_array_equal(X, loans.X[loans.splits == "test"])
    np.testing.assert_array_equal(y, loans.y[loans.splits == "test"])


@pytest.mark.parametrize("name", ["mine", "data/mine", "./data/mine/"])
def test_a_data_set_is_found_by_name_and_by_path(two_data_sets, name):
    dataset = load_dataset(name)
    assert (dataset.name, len(dataset.y)) == ("mine", 1500)
    assert load_dataset(str(two_data_sets / "data/mine")).sha256 == dataset.sha256


def test_a_built_in_data_set_is_made_when_it_is_not_there(two_data_sets, loans_csv, monkeypatch):
    monkeypatch.setitem(datasets.BUILT_IN, "loans", lambda path: path.write_bytes(loans_csv.read_bytes()))
    assert len(load_dataset("loans").y) == 1500


def test_a_data_set_that_is_there_is_not_made_again(two_data_sets, monkeypatch):
    monkeypatch.setitem(datasets.BUILT_IN, "mine", None)
    assert len(load_dataset("mine").y) == 1500


def test_rows_are_counted_by_split(loans):
    data = describe_data(loans, "loans")["data"]
    assert sum(split["rows"] for split in data["roles"]) == data["rows"] == len(loans.y)
    train = data["roles"][0]
    assert train["share_Approved"] == pytest.approx(loans.rows("train")[1].mean())


def test_the_rows_of_a_group_are_one_unit_in_one_split_and_the_key_is_no_feature(grouped):
    assert "customer" not in grouped.frame
    assert grouped.X.shape == (400, 3)
    assert all(len(set(grouped.splits[at : at + 4])) == 1 for at in range(0, 400, 4))
    for split in SPLITS:
        assert np.bincount(grouped.units(split)).tolist() == [4] * (int(np.sum(grouped.splits == split)) // 4)


def test_a_group_key_that_is_no_column_is_named(read, tmp_path, homes_contract):
    (tmp_path / "dataset.csv").write_text(f"{HEADER}\n{RIGHT}\n")
    with pytest.raises(DataError, match="column 'client' is missing"):
        read_dataset(tmp_path / "dataset.csv", replace(homes_contract, split_by="client"), "homes")


def test_equal_rows_are_one_unit_by_values_and_several_by_row(tmp_path, homes_contract):
    (tmp_path / "dataset.csv").write_text("\n".join([HEADER, *[RIGHT] * 300]))
    by_values = read_dataset(tmp_path / "dataset.csv", homes_contract, "homes")
    by_row = read_dataset(tmp_path / "dataset.csv", replace(homes_contract, split_by="row"), "homes")
    assert set(np.concatenate([by_values.units(split) for split in SPLITS])) == {0}
    assert len(set(by_values.splits)) == 1
    assert [len(set(by_row.units(split))) for split in SPLITS] == [np.sum(by_row.splits == split) for split in SPLITS]
    assert set(by_row.splits) == set(SPLITS)


def test_a_file_continues_itself_and_what_it_was_before_rows_were_appended(grouped):
    lines = GROUPED.splitlines(keepends=True)
    older, other = ("".join(each).encode() for each in (lines[:200], [lines[0], *lines[2:200]]))
    assert grouped.continues(grouped.sha256)
    assert grouped.continues(hashlib.sha256(older).hexdigest())
    assert not grouped.continues(hashlib.sha256(other).hexdigest())
    assert not replace(grouped, path=None).continues(hashlib.sha256(older).hexdigest())


def test_rows_that_break_the_contract_are_left_out_and_counted_where_data_are_explored(tmp_path, homes_contract):
    rows = [RIGHT, "own,777,north,1,yes", RIGHT, "rent,20,south,2,no", "own,5"]
    path = tmp_path / "dataset.csv"
    path.write_text("\n".join([f"{HEADER},shoe_size", *(f"{row},44" for row in rows)]))
    dataset, refused = read_kept_rows(path, homes_contract, "homes")
    assert dataset.frame["amount"].tolist() == [10, 10, 20]
    assert "shoe_size" not in dataset.frame
    assert refused.describe() == "2 of 5 rows break the contract, and 1 column as a whole."
    assert [(line["column"], line["rows"]) for line in refused.table()] == [
        ("shoe_size", None), ("rows", 1), ("amount", 1)
    ]  # fmt: skip


def test_kept_rows_are_what_the_loader_reads_where_nothing_is_refused(tmp_path, homes_contract):
    path = tmp_path / "dataset.csv"
    path.write_text("\n".join([HEADER, RIGHT, "rent,20,south,2,no"]))
    dataset, refused = read_kept_rows(path, homes_contract, "homes")
    whole = read_dataset(path, homes_contract, "homes")
    assert dataset.frame.equals(whole.frame)
    assert (dataset.splits.tolist(), dataset.sha256, refused.broken) == (whole.splits.tolist(), whole.sha256, [])


def test_the_group_keys_of_kept_rows_stay_with_their_rows(tmp_path, homes_contract):
    path = tmp_path / "dataset.csv"
    path.write_text(GROUPED.replace("c0,own,0.25", "c0,own,777"))
    dataset, refused = read_kept_rows(path, replace(homes_contract, split_by="customer"), "homes")
    assert (len(dataset.keys), refused.count()) == (399, 1)
    assert dataset.keys[:4].tolist() == ["c0", "c0", "c0", "c1"]


def test_a_file_of_which_most_rows_are_refused_is_not_explored(tmp_path, homes_contract):
    path = tmp_path / "dataset.csv"
    path.write_text("\n".join([HEADER, RIGHT, *["own,777,north,1,yes"] * 3]))
    with pytest.raises(DataError, match=r"(?s)row 3: amount='777'.*check-data counts them by rule"):
        read_kept_rows(path, homes_contract, "homes")
