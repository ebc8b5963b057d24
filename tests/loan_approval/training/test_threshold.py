import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from loan_approval.errors import DataError
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.thresholds import find_cuts, total_costs
from loan_approval.training.threshold import choose_threshold, cut_cheapest, fit_curve
from serve.model.scorer import TOLERANCE
from tests.benchmarks.thresholds import Case, bent, choose, falling, right, saturated, too_timid, votes_of_trees

SIMULATIONS = 20  # `make bench-intervals` runs more


def scored(rows=400, seed=0, copies=1, middle=0.8):
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(middle, 1.6, rows))
    return np.repeat((rng.random(rows) < p).astype(int), copies), np.repeat(p, copies)


def found(case):
    return [choose(case, number) for number in range(SIMULATIONS)]


@pytest.mark.parametrize("case", [Case(rows=100), Case(too_timid, 100), Case(rows=100, ratio=100.0)])
def test_with_few_rows_the_threshold_costs_less_than_the_cheapest_cut(case):
    chosen = found(case)
    dearer, cut = np.mean([each.dearer for each in chosen]), np.mean([each.cut_dearer for each in chosen])
    assert dearer < 0.05
    assert dearer < cut / 2


@pytest.mark.parametrize("case", [Case(rows=2000), Case(votes_of_trees, 2000)])
def test_with_many_rows_it_costs_no_more_either(case):
    chosen = found(case)
    assert np.mean([each.dearer for each in chosen]) < min(0.01, np.mean([each.cut_dearer for each in chosen]))


def test_its_interval_holds_the_best_threshold_of_right_scores():
    assert sum(each.covered for each in found(Case(right, 300))) >= 0.8 * SIMULATIONS


def test_a_curve_of_the_wrong_shape_gives_way_to_the_cheapest_cut_where_many_rows_show_it():
    chosen = [choose(Case(falling, 10_000, 1.5), number) for number in range(3)]
    assert not any(each.by_curve for each in chosen)
    assert max(each.dearer for each in chosen) < 0.06


@pytest.mark.parametrize("case", [Case(right, 300), Case(saturated, 300), Case(bent, 300)])
def test_the_cheapest_cut_is_hardly_ever_taken_by_chance(case):
    assert sum(each.by_curve for each in found(case)) >= SIMULATIONS - 1


def test_with_equal_costs_the_curve_is_logistic_regression_on_log_odds():
    y, p = scored(4000)
    reference = LogisticRegression(C=np.inf, tol=1e-9).fit(logit(p)[:, np.newaxis], y)
    weights = fit_curve(y, p, Costs(3, 3)).weights
    np.testing.assert_allclose(weights, [reference.intercept_[0], reference.coef_[0, 0]], atol=0.01)


@pytest.mark.parametrize("ratio", [1, 5, 20])
def test_of_right_probabilities_the_threshold_is_the_share_of_the_costs(ratio):
    y, p = scored(20_000)
    chosen = choose_threshold(y, p, p, Costs(ratio, 1)).threshold
    assert chosen.value == pytest.approx(ratio / (1 + ratio), abs=0.03)
    assert chosen.low <= ratio / (1 + ratio) <= chosen.high


@pytest.mark.parametrize("seed", range(5))
def test_a_change_of_the_costs_unit_changes_nothing(seed):
    y, p = scored(150, seed)
    one, other = choose_threshold(y, p, p, Costs(10, 1)), choose_threshold(y, p, p, Costs(10_000, 1_000))
    assert one.threshold.value == pytest.approx(other.threshold.value)


@pytest.mark.parametrize("seed", range(5))
def test_turned_labels_scores_and_costs_give_the_mirrored_threshold(seed):
    y, p = scored(151, seed)
    one, other = choose_threshold(y, p, p, Costs(4, 1)), choose_threshold(1 - y, 1 - p, 1 - p, Costs(1, 4))
    assert one.threshold.value == pytest.approx(1 - other.threshold.value, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_dearer_wrong_approval_never_lowers_the_threshold(seed):
    y, p = scored(300, seed)
    thresholds = [choose_threshold(y, p, p, Costs(ratio, 1)).threshold.value for ratio in (0.2, 1, 5, 25)]
    assert thresholds == sorted(set(thresholds))


def test_it_lies_midway_between_two_scores_and_clear_of_all():
    y, p = scored(60)
    every_p = np.concatenate([p, [0.5, 0.500001]])
    chosen = choose_threshold(y, p, every_p, Costs(1, 1)).threshold
    assert chosen.value in find_cuts(every_p)
    assert np.min(np.abs(every_p - chosen.value)) > TOLERANCE


def test_scores_of_a_few_steps_are_cut_at_the_step_where_the_expected_costs_cross():
    p = np.repeat([0.1, 0.45, 0.55, 0.9], 100)
    y = np.concatenate([np.arange(100) < ones for ones in (10, 45, 55, 90)]).astype(int)
    assert choose_threshold(y, p, p, Costs(1, 1)).threshold.value == pytest.approx(0.5)
    assert choose_threshold(y, p, p, Costs(3, 1)).threshold.value == pytest.approx(0.725)


def test_separable_rows_have_a_threshold_between_the_labels():
    p = np.concatenate([np.linspace(0.05, 0.4, 30), np.linspace(0.6, 0.95, 30)])
    chosen = choose_threshold((p > 0.5).astype(int), p, p, Costs(1, 1)).threshold
    assert chosen.value == pytest.approx(0.5)
    assert 0 <= chosen.low < 0.5 < chosen.high <= 1


@pytest.mark.parametrize(("share", "expected"), [(0.9, "lowest"), (0.1, "highest")])
def test_scores_that_say_nothing_lead_to_one_decision_for_nearly_all(share, expected):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, 500)
    chosen = choose_threshold((rng.random(500) < share).astype(int), p, p, Costs(1, 1)).threshold
    assert chosen.value == (find_cuts(p)[0] if expected == "lowest" else find_cuts(p)[-1])


def test_an_interval_that_reaches_the_outermost_cut_is_open():
    y, p = scored(100, middle=-3)
    assert choose_threshold(y, p, p, Costs(10, 1)).threshold.high == 1.0


@pytest.mark.parametrize("costs", [Costs(1, 1), Costs(10, 1)])
def test_copies_of_rows_leave_the_interval_as_wide(costs):
    once, again = scored(200), scored(200, copies=5)
    groups = np.repeat(np.arange(200), 5)
    one = choose_threshold(*once, once[1], costs).threshold
    other = choose_threshold(*again, again[1], costs, groups).threshold
    assert other.value == pytest.approx(one.value, abs=0.02)
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.1)


def test_the_rule_records_threshold_interval_and_method():
    y, p = scored(200)
    chosen = choose_threshold(y, p, p, Costs(1, 1))
    assert chosen.in_rule() == {
        "threshold": chosen.threshold.value,
        "threshold_interval": [chosen.threshold.low, chosen.threshold.high],
        "threshold_method": "cost-weighted logistic curve",
    }
    assert str(chosen).startswith(f"threshold {chosen.threshold} (95 % interval), where a curve fitted to")


@pytest.mark.parametrize("costs", [(1, 1), (5, 1), (1, 3)])
def test_the_cheapest_cut_is_the_cheapest_of_all(costs):
    y, p = scored(80)
    cuts = find_cuts(p)
    cost = total_costs(y, p, cuts, *costs)
    assert cost[cuts == cut_cheapest(y, p, cuts, Costs(*costs))] == cost.min()


@pytest.mark.parametrize("p", [[0.5, 0.5, 0.5], [0.5, 0.5 + TOLERANCE, 0.5 - TOLERANCE]])
def test_equal_scores_have_no_threshold(p):
    with pytest.raises(DataError, match="all rows score the same"):
        choose_threshold(np.array([0, 1, 1]), np.array(p), np.array(p), Costs(1, 1))


@pytest.mark.parametrize("costs", [(0, 1), (1, 0), (-1, 1), (1, -2)])
def test_costs_that_are_not_positive_are_refused(costs):
    with pytest.raises(DataError, match=f"costs are {costs[0]} and {costs[1]}, expected both above 0"):
        choose_threshold(*scored(60), scored(60)[1], Costs(*costs))
