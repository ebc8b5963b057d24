import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from loan_approval.errors import DataError
from loan_approval.training.folds import assign_folds, labels_of_groups


def labels(rows=200, share=0.3, seed=0):
    return (np.random.default_rng(seed).random(rows) < share).astype(int)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.8])
def test_folds_of_distinct_rows_are_scikit_learns_stratified_ones(share):
    y = labels(share=share)
    fold = assign_folds(y, np.arange(200), 5, seed=7)
    for number, (_, held_out) in enumerate(StratifiedKFold(5, shuffle=True, random_state=7).split(y, y)):
        assert np.flatnonzero(fold == number).tolist() == held_out.tolist()


def test_equal_rows_share_a_fold_and_labels_are_spread_evenly():
    y, again = labels(), np.random.default_rng(1).permutation(np.repeat(np.arange(200), 4))
    fold = assign_folds(y[again], again, 5, seed=1)
    assert all(len(set(fold[again == row])) == 1 for row in range(200))
    assert [y[again][fold == k].mean() for k in range(5)] == pytest.approx([y.mean()] * 5, abs=0.03)


def test_a_group_of_both_labels_counts_as_the_rarer():
    y, groups = np.array([0, 0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 3])
    assert labels_of_groups(y, groups, fewest=1).tolist() == [0, 1, 1, 0]
    assert labels_of_groups(1 - y, groups, fewest=1).tolist() == [1, 0, 0, 1]


def test_where_all_groups_hold_both_labels_folds_still_do():
    groups = np.repeat(np.arange(20), 10)
    y = np.tile([0, 1], 100)
    fold = assign_folds(y, groups, 5, seed=1)
    assert [set(y[fold == k]) for k in range(5)] == [{0, 1}] * 5


def test_a_label_that_too_few_distinct_rows_have_is_refused():
    y, groups = np.repeat([0, 1], [90, 30]), np.append(np.arange(90), np.repeat([90, 91, 92], 10))
    with pytest.raises(DataError, match="too few distinct rows or groups of a label for 5 folds"):
        assign_folds(y, groups, 5, seed=1)
