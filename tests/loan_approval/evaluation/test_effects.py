import numpy as np
import pytest

from loan_approval.evaluation.effects import choose_rows, measure_effects, measure_interaction
from serve.model.scorer import Scorer


class Additive:
    """Stands for a scorer whose probability is known: the mean of two features, or their product."""

    def __init__(self, contract, joint):
        self.contract, self.joint = contract, joint

    def score(self, X):
        a, b = X[:, 0] / 80, X[:, 2] / 850
        return a * b if self.joint else (a + b) / 2


@pytest.fixture
def rows(loans):
    return choose_rows(loans.X, seed=1, most=50)


def test_the_rows_are_as_many_as_asked_for_and_follow_from_the_seed(loans):
    assert len(choose_rows(loans.X, 1, 20)) == 20
    assert np.array_equal(choose_rows(loans.X, 1, 20), choose_rows(loans.X, 1, 20), equal_nan=True)
    assert len(choose_rows(loans.X[:5], 1, 20)) == 5


def test_a_curve_is_the_score_of_each_row_with_the_value(loans, make_model, rows):
    scorer = Scorer(make_model("loans", "logistic_regression").data)
    effects = measure_effects(scorer, rows)
    assert sorted(each.feature.name for each in effects) == sorted(f.name for f in loans.contract.scored)
    assert [each.reach for each in effects] == sorted((each.reach for each in effects), reverse=True)
    for each in effects:
        changed = rows.copy()
        changed[:, loans.contract.scored.index(each.feature)] = each.values[-1]
        assert np.array_equal(each.curves[:, -1], scorer.score(changed))
        assert each.feature.min <= each.values.min() <= each.values.max() <= each.feature.max


def test_a_category_has_a_point_for_each_of_its_values(homes, make_model):
    scorer = Scorer(make_model("homes", "random_forest").data)
    effect = next(each for each in measure_effects(scorer, homes.X[:30]) if each.feature.name == "home")
    assert effect.values.tolist() == [0, 1, 2]
    assert effect.curves.shape == (30, 3)


def test_a_feature_without_any_value_is_shown_over_its_range(loans_contract, rows):
    gone = rows.copy()
    gone[:, 1] = np.nan
    effects = measure_effects(Additive(loans_contract, joint=False), gone)
    empty = next(each for each in effects if each.feature == loans_contract.scored[1])
    assert empty.values.tolist() == [empty.feature.min, empty.feature.max]


def test_features_that_add_up_have_no_interaction_and_those_that_multiply_have(loans_contract, rows):
    pair = loans_contract.scored[0], loans_contract.scored[2]
    assert measure_interaction(Additive(loans_contract, joint=False), rows, pair).strength == pytest.approx(0, abs=1e-6)
    joint = measure_interaction(Additive(loans_contract, joint=True), rows, pair)
    assert 0.1 < joint.strength < 1
    assert joint.mean.shape == tuple(map(len, joint.values))
