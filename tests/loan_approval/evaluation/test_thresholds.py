import numpy as np
import pytest

from loan_approval.errors import ParameterError
from loan_approval.evaluation.thresholds import choose_review_band, review_bands, total_costs
from serve.model.scorer import TOLERANCE, name_band

GRID = np.linspace(0.01, 0.99, 99)  # scores; 0.505 is between two of them


def scored(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(0.01, 0.99, rows), 2)
    return (rng.random(rows) < p).astype(int), p


def cost(y, p, threshold, wrong_approval, wrong_denial):
    return wrong_approval * np.sum((p >= threshold) & (y == 0)) + wrong_denial * np.sum((p < threshold) & (y == 1))


@pytest.mark.parametrize("costs", [(1, 1), (5, 1)])
def test_total_costs_are_of_the_decisions_at_each_threshold(costs):
    y, p = scored()
    thresholds = np.array([0.0, 0.3, 0.305, 0.995])
    expected = [cost(y, p, threshold, *costs) for threshold in thresholds]
    np.testing.assert_allclose(total_costs(y, p, thresholds, *costs), expected)


def test_total_costs_of_expected_labels_are_expected_costs():
    thresholds, chance = np.array([0.0, 0.5, 1.0]), np.full(4, 0.25)
    costs = total_costs(chance, np.array([0.1, 0.2, 0.8, 0.9]), thresholds, 10, 1)
    np.testing.assert_allclose(costs, [10 * 3, 10 * 1.5 + 0.5, 1])


def test_a_band_of_a_width_has_the_threshold_in_its_middle():
    rule = choose_review_band(0.505, GRID, 1, 1, review_width=0.1)
    assert rule == {"review_band": [pytest.approx(0.455), pytest.approx(0.555)], "review_width": 0.1}


@pytest.mark.parametrize(("threshold", "width", "band"), [(0.045, 0.3, [0, 0.195]), (0.955, 0.3, [0.805, 1])])
def test_a_wide_band_ends_where_probabilities_do(threshold, width, band):
    assert choose_review_band(threshold, GRID, 1, 1, width)["review_band"] == pytest.approx(band)


@pytest.mark.parametrize("every_p", [GRID, np.array([0.45, 0.55]), np.array([0.0, 0.4, 0.6, 1.0])])
@pytest.mark.parametrize("width", [0.1, 0.11, 0.2, 0.9, 1.0])
def test_no_score_lies_within_the_tolerance_of_a_bound(every_p, width):
    low, high = choose_review_band(0.505, every_p, 1, 1, width)["review_band"]
    assert 0 <= low <= 0.505 <= high <= 1
    assert np.min(np.abs(every_p[:, np.newaxis] - [low, high])) > TOLERANCE


def test_a_bound_on_a_score_moves_to_the_middle_of_the_nearest_gap():
    every_p = np.array([0.2, 0.4, 0.45, 0.6])
    low, high = choose_review_band(0.5, every_p, 1, 1, review_width=0.2)["review_band"]
    assert (low, high) == (pytest.approx(0.425), pytest.approx(0.525))


@pytest.mark.parametrize("costs", [(1, 1, 0.2), (2, 1, 0.3), (1, 4, 0.5)])
@pytest.mark.parametrize("threshold", [0.105, 0.505, 0.905])
def test_referred_is_where_a_decision_is_expected_to_cost_more_than_a_review(costs, threshold):
    wrong_approval, wrong_denial, review = costs
    p = GRID + 0.003
    rule = choose_review_band(threshold, GRID, wrong_approval, wrong_denial, cost_review=review)
    expected = np.where(p >= threshold, (1 - p) * wrong_approval, p * wrong_denial)
    clear = np.abs(expected - review) > 0.01 * max(costs)
    referred = review_bands(p, *rule["review_band"]) == 1
    np.testing.assert_array_equal(referred[clear], (expected > review)[clear])
    assert rule["cost_review"] == review


def test_no_one_is_referred_when_a_review_costs_more_than_any_decision():
    assert choose_review_band(0.505, GRID, 1, 1, cost_review=0.6) == {}
    assert choose_review_band(0.505, GRID, 1, 1) == {}


def test_width_and_cost_of_a_review_exclude_each_other():
    with pytest.raises(ParameterError, match=r"review_width is 0.1 and cost_review 0.2, expected one of them"):
        choose_review_band(0.505, GRID, 1, 1, 0.1, 0.2)


@pytest.mark.parametrize("width", [-0.1, 1.1, float("nan")])
def test_a_width_that_is_no_probability_is_refused(width):
    with pytest.raises(ParameterError, match=r"review_width is .*, expected 0 to 1"):
        choose_review_band(0.505, GRID, 1, 1, width)


@pytest.mark.parametrize("review", [0.0, -1.0, float("nan")])
def test_a_review_that_costs_nothing_is_refused(review):
    with pytest.raises(ParameterError, match=r"cost_review is .*, expected above 0"):
        choose_review_band(0.505, GRID, 1, 1, cost_review=review)


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.7), (0.5, 0.5), (0.5, 0.7), (0.0, 1.0)])
def test_bands_are_what_the_server_calls_them(low, high):
    p = np.array([0.0, low - 1e-9, low, low + 1e-9, 0.5, high - 1e-9, high, 1.0])
    names = np.array(["decline", "refer", "approve"])[review_bands(p, low, high)]
    assert names.tolist() == [name_band(each, low, high) for each in p]
