from dataclasses import replace

import pytest

from loan_approval.data.datasets import read_dataset
from loan_approval.data.drafting import draft_data_set
from loan_approval.data.folders import load_contract
from loan_approval.data_check.table import read_table
from loan_approval.errors import DataError
from serve.contract.contract import Contract
from tests.loan_approval.data_check.test_check import CONTRACT_BROKEN, HARMLESS, REFERENCE
from tests.model_files import DATED


@pytest.mark.parametrize("change", [*(c for c, _ in CONTRACT_BROKEN.values()), *HARMLESS.values()])
def test_the_contract_is_broken_where_the_loader_refuses(tmp_path, homes_contract, change):
    path = tmp_path / "new.csv"
    change(REFERENCE.copy()).to_csv(path, index=False)
    try:
        read_dataset(path, homes_contract, "homes")
        refused = False
    except DataError:
        refused = True
    assert bool(read_table(path, homes_contract).broken) == refused


def test_rows_of_another_length_are_named_and_the_others_compared(tmp_path, homes_contract):
    path = tmp_path / "new.csv"
    lines = REFERENCE.to_csv(index=False).splitlines()
    path.write_text("\n".join([*lines[:3], "own,5", *lines[3:], "own,5,north,1,yes,yes"]))
    table = read_table(path, homes_contract)
    assert [(finding.subject, finding.words) for finding in table.broken] == [
        ("rows", "expected 5 cells a row as in the header: rows 4, 1503")
    ]
    assert len(table.frame) == 1500


@pytest.mark.parametrize(
    ("content", "words"),
    {
        "nothing": (b"", "the file is empty"),
        "no text": (b"\x89PNG\r\n\x1a\n\x00\xff", "not UTF-8"),
        "zero bytes": (b"home,amount\n\0\0,\0\n", "zero bytes"),
        "semicolons": (b"home;amount;region;children;granted\nown;5;north;1;yes\n", "expected commas"),
        "no header": (b"own,5,north,1,yes\nrent,6,south,2,no\n", "none of the contract's columns"),
        "an open quote": (b'home,amount\n"own,5\n', "not a CSV"),
    }.values(),
)
def test_a_file_that_is_no_table_is_refused(tmp_path, homes_contract, content, words):
    (tmp_path / "new.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_table(tmp_path / "new.csv", homes_contract)


def test_a_column_that_the_draft_left_out_breaks_nothing(tmp_path):
    owners = REFERENCE.assign(customer_id=range(5001, 6501), remark=[f"text {row}" for row in range(1500)])
    owners.to_csv(tmp_path / "owners.csv", index=False)
    draft_data_set(tmp_path / "mine", tmp_path / "owners.csv", "granted")
    contract = load_contract(tmp_path / "mine", draft=True)
    assert {"customer_id", "remark"}.isdisjoint(feature.name for feature in contract.features)
    table = read_table(tmp_path / "owners.csv", contract)
    assert table.broken == []
    assert len(table.frame) == 1500


def test_the_group_key_is_expected_and_compared_with_nothing(tmp_path, homes_contract):
    grouped, path = replace(homes_contract, split_by="customer"), tmp_path / "new.csv"
    REFERENCE.assign(customer=[f"c{row // 2}" for row in range(1500)]).to_csv(path, index=False)
    table = read_table(path, grouped)
    assert table.broken == []
    assert "customer" not in table.frame
    REFERENCE.to_csv(path, index=False)
    assert [(each.subject, each.words) for each in read_table(path, grouped).broken] == [
        ("customer", "the column is missing")
    ]


def test_what_the_contract_refused_is_counted_by_column_and_rule_without_values(tmp_path, homes_contract):
    path = tmp_path / "new.csv"
    changed = REFERENCE.drop(columns="children").astype({"amount": object})
    changed.loc[:29, "amount"] = 777
    changed.loc[20:24, "home"] = "houseboat"
    changed.loc[40, "amount"] = "much"
    changed.assign(shoe_size=44).to_csv(path, index=False)
    table = read_table(path, homes_contract)
    assert table.refused.table() == [
        {"column": "shoe_size", "rule": "the column is not in the contract", "rows": None, "share": None},
        {"column": "amount", "rule": "out of range, expected a number from 0 to 100", "rows": 30, "share": 30 / 1500},
        {
            **{"column": "home", "rule": "unknown category, expected one of own, rent, other or null"},
            **{"rows": 5, "share": 5 / 1500},
        },
        {"column": "amount", "rule": "not a number, expected a number from 0 to 100", "rows": 1, "share": 1 / 1500},
    ]
    assert table.refused.describe() == "31 of 1,500 rows break the contract, and 1 column as a whole."


def test_where_nothing_is_refused_that_is_said(tmp_path, homes_contract):
    path = tmp_path / "new.csv"
    REFERENCE.to_csv(path, index=False)
    table = read_table(path, homes_contract)
    assert (table.refused.table(), table.refused.describe()) == ([], "None of the 1,500 rows breaks the contract.")


SOURCE = {"separator": "semicolon", "missing": {"granted": ["?"]}, "drop_unlabelled": True}
COMMENTED = (
    "# a comment\n\nhome;amount;region;children;granted\nown;5;north;1;?\n\n# one more\nown;5;north;1;maybe\nown\n"
)
QUOTED = 'home,amount,region,children,granted\nown,5,north,1,"yes\n"\nown,5,north,1,maybe\nown\n'


@pytest.mark.parametrize(("text", "line"), [(COMMENTED, 7), (QUOTED, 4)])
def test_a_row_at_fault_is_named_by_its_line_in_the_file(tmp_path, homes_contract, text, line):
    path, contract = tmp_path / "new.csv", replace(homes_contract, source=SOURCE)
    path.write_text(text)
    words = [finding.words for finding in read_table(path, contract).broken]
    assert words == [
        f"expected 5 cells a row as in the header: row {line + 1}",
        f"neither label, expected no (Denied) or yes (Granted): row {line}",
    ]
    with pytest.raises(DataError, match=f"row {line + 1}: 1 cell, expected 5"):
        read_dataset(path, contract, "homes")
    path.write_text(text.removesuffix("own\n"))
    with pytest.raises(DataError, match=f"row {line}: granted='maybe'"):
        read_dataset(path, contract, "homes")


def test_days_are_counted_between_the_columns_of_a_table_as_the_loader_counts_them(tmp_path):
    contract, path = Contract.from_dict(DATED), tmp_path / "dataset.csv"
    path.write_text(
        "opened,due,asked,hired,granted\n2020-02-29,2,2020-03-01, 2020-02-01 ,yes\n2020-02-29,,2020-03-01,-5,no\n"
    )
    table, dataset = read_table(path, contract), read_dataset(path, contract, "dated")
    assert table.broken == []
    assert table.frame["hired"].tolist() == dataset.X[:, 2].tolist() == [-29, -5]
    path.write_text("opened,asked,hired,granted\n2020-02-29,2020-02-30,2020-02-01,yes\n")
    words = [finding.words for finding in read_table(path, contract).broken]
    assert [each.partition(",")[0] for each in words] == ["not a date", "no date to count from"]
