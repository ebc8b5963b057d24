from hashlib import sha256

import numpy as np
import pytest

from loan_approval.data.boston import write_boston
from loan_approval.data.datasets import read_dataset
from loan_approval.data.folders import dataset_folder, load_contract
from loan_approval.data.simulate import write_simulation
from loan_approval.data.splits import SPLITS, assign_splits, identify_rows, name_units, number_units

SPLITS_OF = {
    "loans": "8cc87470678a717c810fa7730127fef1862e7c43c54190d10d453bfa6e427029",
    "boston": "3b9f54ffaa600b16f5aeef81f8e28d2690d03de9bb2e66c2c7c64119b09e5028",
}
CONTRACTS = {
    "loans": "807c82c82ff5e311e58c019c16aa149959ee39b0bbda9235fb59a9fcd120e069",
    "boston": "91494cce660c01690a527ddbc62c4fcf37bef0758c6e8d1045b4b34e8e2dbf3b",
}


@pytest.mark.parametrize(("name", "write"), [("loans", write_simulation), ("boston", write_boston)])
def test_each_row_of_the_built_in_data_keeps_its_split_and_the_contract_its_fingerprint(tmp_path, name, write):
    write(tmp_path / "dataset.csv")
    contract = load_contract(dataset_folder(name))
    dataset = read_dataset(tmp_path / "dataset.csv", contract, name)
    assert sha256(" ".join(dataset.splits).encode()).hexdigest() == SPLITS_OF[name]
    assert contract.fingerprint == CONTRACTS[name]


def test_equal_rows_share_a_split(loans):
    minus_zero = np.where(loans.X == 0, -0.0, loans.X)
    other_nan = np.where(np.isnan(loans.X), -np.float64("nan"), loans.X)
    for equal in (minus_zero, other_nan, loans.X.astype(">f8")):
        assert identify_rows(equal).tolist() == identify_rows(loans.X).tolist()


def test_a_rows_split_depends_on_no_other_row(loans):
    splits = assign_splits(identify_rows(loans.X), "salt")
    assert assign_splits(identify_rows(loans.X[::-1]), "salt").tolist() == splits[::-1].tolist()
    assert assign_splits(identify_rows(loans.X[5:6]), "salt").tolist() == splits[5:6].tolist()


def test_splits_are_about_60_20_20():
    splits = assign_splits(identify_rows(np.arange(20_000.0)[:, None]), "salt")
    assert [np.mean(splits == split) for split in SPLITS] == pytest.approx([0.6, 0.2, 0.2], abs=0.01)


def test_another_salt_gives_other_splits(loans):
    agree = np.mean(assign_splits(identify_rows(loans.X), "a") == assign_splits(identify_rows(loans.X), "b"))
    assert agree == pytest.approx(0.6**2 + 0.2**2 + 0.2**2, abs=0.05)


def test_each_row_is_a_unit_when_split_by_row_and_appended_rows_move_none():
    X = np.ones((2000, 3))
    identities = identify_rows(X, "row")
    assert number_units(identities).tolist() == list(range(2000))
    splits = assign_splits(identities, "salt")
    assert [np.mean(splits == split) for split in SPLITS] == pytest.approx([0.6, 0.2, 0.2], abs=0.04)
    np.testing.assert_array_equal(assign_splits(identify_rows(X[:500], "row"), "salt"), splits[:500])


def test_rows_with_the_same_key_are_one_unit_whatever_their_values():
    X = np.arange(6.0)[:, None]
    keys = ["a", "b", " a", "", "b ", "NA"]
    assert number_units(identify_rows(X, "customer", keys)).tolist() == [0, 1, 0, 2, 1, 3]


def test_rows_without_a_key_are_one_unit_where_they_are_equal():
    X = np.array([[1.0], [1.0], [2.0]])
    assert number_units(identify_rows(X, "customer", ["", "null", "-"])).tolist() == [0, 0, 1]


def test_a_group_keeps_its_split_when_its_values_change():
    keys = [f"c{row // 5}" for row in range(500)]
    first, second = (identify_rows(np.random.default_rng(s).random((500, 2)), "customer", keys) for s in (1, 2))
    splits = assign_splits(first, "salt")
    np.testing.assert_array_equal(assign_splits(second, "salt"), splits)
    assert all(len(set(splits[at : at + 5])) == 1 for at in range(0, 500, 5))


@pytest.mark.parametrize(
    ("by", "words"), [("values", "distinct rows"), ("row", "rows"), ("customer", "groups by customer")]
)
def test_units_have_a_name(by, words):
    assert name_units(by) == words


def test_one_unit_is_named_as_one():
    assert [name_units(by, 1) for by in ("values", "row", "client")] == ["distinct row", "row", "group by client"]
    assert [name_units(by, 0) for by in ("values", "row", "client")] == ["distinct rows", "rows", "groups by client"]
