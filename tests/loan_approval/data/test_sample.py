from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loan_approval.data import sample
from loan_approval.data.datasets import Dataset
from loan_approval.data.exploration import target_association
from loan_approval.data.sample import describe_sample, sample_dataset, sample_frame
from loan_approval.data.sweetviz_pages import write_sweetviz


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_ROWS", 400)
    monkeypatch.setattr(sample, "MOST_COLUMNS", 3)


def test_few_rows_and_columns_are_shown_whole(loans: Dataset) -> None:
    shown = sample_dataset(loans, target_association(loans)["feature"].tolist())
    pd.testing.assert_frame_equal(shown.frame, loans.frame)
    np.testing.assert_array_equal(shown.splits, loans.splits)
    assert describe_sample(shown.frame, loans.frame, "the strongest") == "Shown: all rows and columns."


@pytest.mark.usefixtures("small")
def test_of_many_a_sample_with_the_first_of_the_ranked_features_is_shown(loans: Dataset) -> None:
    ranked = target_association(loans)["feature"].tolist()
    shown = sample_dataset(loans, ranked)
    assert set(shown.frame) == {*ranked[:3], "Loan_Approval"}
    assert list(shown.frame) == [name for name in loans.frame if name in set(shown.frame)]
    assert len(shown.frame) == len(shown.y) == len(shown.splits) == len(shown.X) == 400
    assert shown.frame["Loan_Approval"].tolist() == shown.y.tolist()
    words = describe_sample(shown.frame, loans.frame, "the strongest")
    assert words == "Shown: 400 of 1,500 rows (drawn by chance) and 4 of 8 columns (the strongest)."


@pytest.mark.usefixtures("small")
def test_the_same_rows_are_drawn_each_time_in_their_order(loans: Dataset) -> None:
    first, second = (sample_frame(loans.frame, ["Age"]) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert first.index.is_monotonic_increasing
    assert list(first) == ["Age"]


@pytest.mark.usefixtures("small")
def test_the_pages_of_a_wide_data_set_show_the_sample(loans: Dataset, tmp_path) -> None:
    wide = loans.frame.assign(**{f"x{i}": np.arange(len(loans.y), dtype=float) for i in range(60)})
    shown = sample_dataset(replace(loans, frame=wide), target_association(loans)["feature"].tolist())
    pages = write_sweetviz(shown, tmp_path)
    assert all(b"x59" not in page.read_bytes() for page in pages)


@pytest.mark.usefixtures("small")
def test_each_row_of_a_sample_keeps_its_group(loans: Dataset) -> None:
    keys = np.array([f"c{row // 5}" for row in range(1500)], dtype=object)
    grouped = replace(loans, contract=replace(loans.contract, split_by="customer"), keys=keys)
    shown = sample_dataset(grouped, [])
    assert len(shown.keys) == len(shown.y) == 400
    assert len(np.concatenate([shown.units(split) for split in ("train", "calibrate", "test")])) == 400


def test_rows_that_are_all_shown_are_not_called_drawn(loans: Dataset) -> None:
    words = describe_sample(loans.frame.iloc[:, :3], loans.frame, "the strongest")
    assert words == f"Shown: all rows and 3 of {loans.frame.shape[1]} columns (the strongest)."
