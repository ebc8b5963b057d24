from dataclasses import replace

import numpy as np
import pytest

from loan_approval.data.datasets import Dataset
from loan_approval.data.shape import (
    check_labels,
    count_by_split,
    count_units,
    describe_shape,
    describe_splits,
    have_few_combinations,
)
from loan_approval.data.splits import SPLITS, assign_splits, identify_rows
from loan_approval.errors import DataError


def made(loans: Dataset, rows: np.ndarray, y: np.ndarray | None = None) -> Dataset:
    """Return these rows of the loans, some perhaps several times, with these labels."""
    labels = loans.y[rows] if y is None else y
    frame = loans.frame.iloc[rows].reset_index(drop=True).assign(Loan_Approval=labels)
    return replace(loans, X=loans.X[rows], y=labels, frame=frame, splits=loans.splits[rows])


def rare(loans: Dataset, ones: int, split_of_row: str = "") -> Dataset:
    """Return the loans with `ones` approved rows, the first or the first of a split."""
    y = np.zeros_like(loans.y)
    y[np.flatnonzero(loans.splits == split_of_row if split_of_row else loans.y >= 0)[:ones]] = 1
    return made(loans, np.arange(len(y)), y)


def test_copies_are_counted_once() -> None:
    assert count_units(np.array([0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2])) == [1, 2]


def test_the_splits_are_counted_by_label(loans: Dataset) -> None:
    counts = count_by_split(made(loans, np.repeat(np.arange(len(loans.y)), 3)))
    assert {split: sum(each) for split, each in counts.items()} == {
        split: int(np.sum(loans.splits == split)) for split in SPLITS
    }
    words = describe_splits(loans)
    assert words.startswith("Distinct rows Approved and Not approved: train ")
    assert f"test {counts['test'][1]:,} and {counts['test'][0]:,}." in words


def test_a_single_class_stops_and_says_that_there_is_nothing_to_learn(loans: Dataset) -> None:
    with pytest.raises(DataError, match="no row at all is 'Approved': there is nothing to learn"):
        check_labels(rare(loans, 0))


def test_thirty_rows_stop_and_say_how_many_would_do(loans: Dataset) -> None:
    with pytest.raises(DataError, match=r"\d+ in all: add rows until there are about 75"):
        check_labels(made(loans, np.arange(30)))


def test_what_training_will_refuse_is_said_before(loans: Dataset) -> None:
    thirty = made(loans, np.arange(30))
    with pytest.raises(DataError) as caught:
        check_labels(thirty)
    reason = str(caught.value).removeprefix("loans: ")
    assert f"Training will refuse these rows: {reason}." in describe_shape(thirty)


def test_forty_copies_of_five_rows_are_five_rows(loans: Dataset) -> None:
    with pytest.raises(DataError, match=r"expected at least 10; \d in all"):
        check_labels(made(loans, np.repeat(np.arange(5), 40)))


def test_a_rare_label_that_the_hash_splits_unevenly_gets_a_salt_that_splits_it_evenly(loans: Dataset) -> None:
    uneven = rare(loans, 100, "train")
    with pytest.raises(DataError) as caught:
        check_labels(uneven)
    assert "0 distinct rows of split calibrate are 'Approved'" in str(caught.value)
    salt = str(caught.value).split('split_salt = "')[1].split('"')[0]
    mended = replace(uneven, splits=assign_splits(uneven.identities(), salt))
    check_labels(mended)
    assert [ones for _, ones in count_by_split(mended).values()] == pytest.approx([60, 20, 20], abs=5)


def test_what_is_usual_is_only_counted(loans: Dataset) -> None:
    assert describe_shape(loans) == [describe_splits(loans)]


def test_a_class_of_one_percent_is_told_what_accuracy_is_worth_and_what_to_do(loans: Dataset) -> None:
    _, *words = describe_shape(rare(loans, 15))
    text = " ".join(words)
    assert "with fewer than 30, calibration, threshold and test results move a lot by chance" in text
    assert "1.0% of the rows are Approved: calling all of them Not approved is right about 99.0%" in text
    assert "cost_wrong_denial" in text
    assert "the gate `reasons`" in text
    y = 1 - rare(loans, 15).y
    assert "the gate `reasons`" not in " ".join(describe_shape(made(loans, np.arange(len(y)), y)))


def test_copies_and_contradictions_are_counted(loans: Dataset) -> None:
    rows = np.append(np.arange(len(loans.y)), [0, 0, 1])
    y = loans.y[rows].copy()
    y[-1] = 1 - y[-1]
    (_, words) = describe_shape(made(loans, rows, y))
    assert words.startswith("Rows that equal an earlier one in all scored features: 3 of 1,503")
    assert "2 rows have equals with the other label" in words


def cells(loans: Dataset, rows: int, values: int, by: str = "values") -> Dataset:
    """Return rows of two features with so many values each; labels are coins."""
    rng = np.random.default_rng(5)
    X = np.full((rows, loans.X.shape[1]), 1.0)
    X[:, :2] = rng.integers(0, values, (rows, 2))
    y, contract = rng.integers(0, 2, rows), replace(loans.contract, split_by=by)
    splits = assign_splits(identify_rows(X, by), contract.split_salt)
    return replace(loans, contract=contract, frame=None, X=X, y=y, splits=splits)


@pytest.mark.parametrize("values", [4, 8])
def test_equal_rows_of_few_combinations_are_told_from_copies(loans: Dataset, values: int) -> None:
    few = cells(loans, 2000, values)
    assert have_few_combinations(few.X, few.y)
    assert have_few_combinations(few.X, (few.X[:, 0] > 1).astype(int))  # the labels follow from the values
    for copies in (2, 4, 10):
        rows = np.repeat(np.arange(1500), copies)
        assert not have_few_combinations(loans.X[rows], loans.y[rows])


def test_copies_of_categories_are_copies(loans: Dataset) -> None:
    few = cells(loans, 300, 17)
    rows = np.repeat(np.arange(300), 4)
    assert not have_few_combinations(few.X[rows], few.y[rows])


def test_few_combinations_that_hang_together_are_told_by_labels_that_differ(loans: Dataset) -> None:
    rng = np.random.default_rng(6)
    kind = rng.integers(0, 60, 2000)
    X = kind[:, None] * np.arange(1.0, 6.0)
    assert have_few_combinations(X, rng.integers(0, 2, 2000))


def test_few_combinations_are_advised_to_split_by_row_and_told_what_that_assumes(loans: Dataset) -> None:
    text = " ".join(describe_shape(cells(loans, 2000, 8)))
    assert "the sizes of the splits depend on the salt" in text
    assert 'write [split] and below it by = "row" into contract.toml' in text
    assert "takes equal rows for different applications that happen to agree" in text
    with pytest.raises(DataError, match=r'few combinations of values: write \[split\] and below it by = "row"'):
        check_labels(cells(loans, 2000, 3))


def test_a_split_by_row_counts_each_row_and_repeats_what_it_assumes(loans: Dataset) -> None:
    by_row = cells(loans, 2000, 3, "row")
    check_labels(by_row)
    assert sum(map(sum, count_by_split(by_row).values())) == 2000
    splits, *_, words = describe_shape(by_row)
    assert splits.startswith("Rows Approved and")
    assert "takes equal rows for different applications" in words
    assert "look like copies" not in words


def test_a_split_by_row_of_what_looks_like_copies_is_questioned(loans: Dataset) -> None:
    copied = made(loans, np.repeat(np.arange(1500), 2))
    *_, words = describe_shape(replace(copied, contract=replace(loans.contract, split_by="row")))
    assert "These look like copies" in words


def test_a_group_that_holds_many_rows_is_told(loans: Dataset) -> None:
    keys = np.array([f"c{row}" if row % 5 else "0" for row in range(1500)], dtype=object)
    grouped = replace(loans, contract=replace(loans.contract, split_by="customer"), keys=keys)
    splits, words, *_ = describe_shape(grouped)
    assert splits.startswith("Groups by customer Approved and")
    assert words.startswith("20% of the rows have one customer and stand in one split: train ")
    assert "Does its cell mean that the value is missing?" in words
