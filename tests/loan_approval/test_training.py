from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV

from loan_approval.errors import DataError, FactoryError
from loan_approval.training import FEWEST_PER_LABEL, Recipe, check_roles, choose_threshold, fit, score
from serve.scorer import TOLERANCE

LOGISTIC = Recipe("logistic_regression", "median_imputer_with_scaler", seed=7)
BOOSTING = Recipe("hist_gradient_boosting", "median_imputer", seed=7, parameters={"max_iter": 20})


def scored(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(0.01, 0.99, rows), 2)
    return (rng.random(rows) < p).astype(int), p


def cost(y, p, threshold, wrong_approval, wrong_denial):
    return wrong_approval * np.sum((p >= threshold) & (y == 0)) + wrong_denial * np.sum((p < threshold) & (y == 1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("costs", [(1, 1), (5, 1), (1, 3)])
def test_the_threshold_is_the_cheapest_of_all_cuts(seed, costs):
    y, p = scored(seed=seed)
    values = np.unique(p)
    cheapest = min(cost(y, p, cut, *costs) for cut in (values[:-1] + values[1:]) / 2)
    assert cost(y, p, choose_threshold(y, p, p, *costs), *costs) == cheapest


def test_a_dearer_wrong_approval_raises_the_threshold():
    y, p = scored(500)
    thresholds = [choose_threshold(y, p, p, cost_wrong_approval, 1) for cost_wrong_approval in (0.2, 1, 5)]
    assert thresholds == sorted(set(thresholds))


@pytest.mark.parametrize(("costs", "threshold"), [((1, 1), 0.45), ((1, 4), 0.2), ((4, 1), 0.75)])
def test_among_equally_cheap_cuts_the_one_nearest_to_the_ideal_is_taken(costs, threshold):
    y, p = np.array([0, 1]), np.array([0.1, 0.9])
    assert choose_threshold(y, p, np.array([0.3, 0.6]), *costs) == pytest.approx(threshold)


def test_no_score_lies_within_the_tolerance_of_the_threshold():
    y, p = np.array([0, 0, 1, 1]), np.array([0.2, 0.499999, 0.500001, 0.8])
    every_p = np.array([0.3, 0.6, 0.65])
    threshold = choose_threshold(y, p, every_p, 1, 1)
    assert np.min(np.abs(np.concatenate([p, every_p]) - threshold)) > TOLERANCE
    assert threshold == pytest.approx(0.55, abs=0.0001)


@pytest.mark.parametrize("p", [[0.5, 0.5, 0.5], [0.5, 0.5 + TOLERANCE, 0.5 - TOLERANCE]])
def test_equal_scores_have_no_threshold(p):
    with pytest.raises(DataError, match="all rows score the same"):
        choose_threshold(np.array([0, 1, 1]), np.array(p), np.array(p), 1, 1)


@pytest.mark.parametrize("costs", [(0, 1), (1, 0), (-1, 1), (1, -2)])
def test_costs_that_are_not_positive_are_refused(costs):
    with pytest.raises(DataError, match=f"costs are {costs[0]} and {costs[1]}, expected both above 0"):
        choose_threshold(*scored(), scored()[1], *costs)


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING])
def test_fitting_twice_gives_the_same_probabilities(loans, recipe):
    np.testing.assert_array_equal(score(fit(recipe, loans), loans.X), score(fit(recipe, loans), loans.X))


def test_the_calibrator_is_the_last_step(loans):
    last = fit(LOGISTIC, loans)[-1]
    assert isinstance(last, CalibratedClassifierCV)
    assert (last.method, len(last.calibrated_classifiers_)) == ("sigmoid", 1)


def test_trees_learn_on_float32_and_others_do_not(loans_contract):
    assert list(BOOSTING.make_pipeline(loans_contract).named_steps) == ["preprocess", "cast", "model"]
    assert list(LOGISTIC.make_pipeline(loans_contract).named_steps) == ["preprocess", "model"]


def with_changed(dataset, role):
    """Return the data set with other labels and values in one role, the roles kept."""
    chosen = dataset.roles == role
    X, y = dataset.X.copy(), dataset.y.copy()
    X[chosen], y[chosen] = X[chosen][::-1] + 1, 1 - y[chosen]
    return replace(dataset, X=X, y=y)


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING])
def test_test_rows_change_nothing_in_the_model(loans, recipe):
    changed = fit(recipe, with_changed(loans, "test"))
    np.testing.assert_array_equal(score(changed, loans.X), score(fit(recipe, loans), loans.X))


def test_calibrate_rows_change_the_calibration_but_not_the_ranking_model(loans):
    ours, theirs = fit(LOGISTIC, loans), fit(LOGISTIC, with_changed(loans, "calibrate"))
    np.testing.assert_array_equal(ours[-1].estimator.coef_, theirs[-1].estimator.coef_)
    assert np.any(score(ours, loans.X) != score(theirs, loans.X))


@pytest.mark.parametrize("role", ["train", "calibrate", "test"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_role_needs_rows_of_either_label(loans, role, code):
    y = np.where(loans.roles == role, 1 - code, loans.y)
    label = loans.contract.label(code)
    with pytest.raises(DataError, match=f"loans: 0 rows of role {role} are '{label}', expected at least 10"):
        fit(LOGISTIC, replace(loans, y=y))


def test_as_few_rows_of_a_label_as_allowed_are_enough(loans):
    y = np.zeros_like(loans.y)
    for role in ("train", "calibrate", "test"):
        y[np.flatnonzero(loans.roles == role)[:FEWEST_PER_LABEL]] = 1
    check_roles(replace(loans, y=y))


@pytest.mark.parametrize("change", [{"model_name": "none"}, {"preprocessor_name": "none"}, {"parameters": {"no": 1}}])
def test_an_unusable_recipe_is_refused(loans, change):
    with pytest.raises(FactoryError):
        fit(replace(LOGISTIC, **change), loans)
