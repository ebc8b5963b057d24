import numpy as np
import pytest

from loan_approval.training.factory import ModelFactory, factory_names
from loan_approval.validation.tree_splits import find_split_values, tree_split_values, tree_thresholds
from serve.model.scorer import Scorer
from tests.model_files import LOANS, LOANS_SCALING, make_file
from tests.stairs import make_stairs

TREES = [name for name in factory_names(ModelFactory) if name != "logistic_regression"]
INCOME, AMOUNT = 1, 3


@pytest.mark.parametrize("model_name", TREES)
def test_the_trees_thresholds_are_found(make_model, model_name):
    thresholds = tree_thresholds(make_model("homes", model_name).data)
    assert len(thresholds) > 20
    assert {column for column, _ in thresholds} <= set(range(6))


def test_split_values_are_found_through_any_monotone_preprocessing(homes):
    cuts = -np.log1p([7.5, 3.0, 1e9])  # the last is beyond the contract's range
    columns, low, high = find_split_values(
        lambda X: -np.log1p(X), homes.contract, np.array([2, 2, 2]), np.array([2, 2, 2]), cuts
    )
    assert set(columns) == {2}
    assert len(columns) == 4  # each cut within the range, asked with <= and with <
    assert np.all(np.nextafter(low, np.inf) >= high)
    assert np.allclose(sorted(low), [3.0, 3.0, 7.5, 7.5])


def test_a_files_split_values_lie_where_its_own_scores_change(loans_contract):
    data = make_stairs(LOANS, AMOUNT, [20_000, 60_000], [0.9, 0.5, 0.1], scale=137.0)
    values = tree_split_values(data, loans_contract, [INCOME, AMOUNT])
    assert len(values[INCOME]) == 0
    scorer = Scorer(data)
    rows = np.tile([feature.encode(feature.example) for feature in loans_contract.scored], (len(values[AMOUNT]), 1))
    rows[:, AMOUNT] = values[AMOUNT]
    p = scorer.score(rows)
    (changes,) = np.nonzero(np.diff(p))
    assert len(changes) == 2
    for change in changes:
        assert np.nextafter(values[AMOUNT][change], np.inf) == values[AMOUNT][change + 1]


def test_a_file_without_trees_has_no_split_values(loans_contract):
    assert len(tree_split_values(make_file(LOANS, LOANS_SCALING), loans_contract, [AMOUNT])[AMOUNT]) == 0


@pytest.mark.parametrize("model_name", TREES)
def test_between_two_split_values_a_score_is_constant(make_model, model_name):
    made = make_model("loans", model_name)
    split_values = tree_split_values(made.data, made.dataset.contract, [AMOUNT])[AMOUNT]
    between = np.random.default_rng(0).uniform(500, 1_000_000, 20_000)
    values = np.unique(np.concatenate([split_values, between, [500, 1_000_000]]))
    rows = np.repeat(made.dataset.X[:1], len(values), axis=0)
    rows[:, AMOUNT] = values
    p = Scorer(made.data).score(rows)
    (changes,) = np.nonzero(np.diff(p))
    assert len(changes) > 5
    assert set(values[changes]) | set(values[changes + 1]) <= set(split_values)
