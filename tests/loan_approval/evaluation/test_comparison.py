import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from loan_approval.evaluation.auc import auc_gain
from loan_approval.evaluation.comparison import compare, cost_saved, exact_interval
from loan_approval.evaluation.costs import Costs
from tests.benchmarks.intervals import WORSE_MODELS, passes_though_worse

COSTS = Costs(5, 1)
SAME_COSTS = (COSTS, COSTS)


def answers(signal, y, seed, threshold=0.5):
    p = 1 / (1 + np.exp(-(signal * (y - 0.5) + np.random.default_rng(seed).normal(size=len(y)))))
    return p, (p >= threshold).astype(int)


def labels(rows=400):
    return np.random.default_rng(3).integers(0, 2, rows)


@pytest.mark.parametrize("signal", [1, 100])
def test_the_same_answers_differ_in_nothing(signal):
    y = labels()
    same = answers(signal, y, 1)
    compared = compare(y, same, same, SAME_COSTS)
    assert (compared.auc.low, compared.auc.high, compared.cost.saved.low, compared.cost.saved.high) == (0, 0, 0, 0)
    assert sum(compared.flips.values()) == 0


def test_what_a_better_challenger_gains_is_above_zero_and_the_other_way_round_below():
    y = labels()
    good, poor = answers(3, y, 1), answers(0, y, 2)
    gained, lost = compare(y, good, poor, SAME_COSTS), compare(y, poor, good, SAME_COSTS)
    assert min(gained.auc.low, gained.cost.saved.low) > 0
    assert max(lost.auc.high, lost.cost.saved.high) < 0
    assert gained.auc.value == pytest.approx(-lost.auc.value)


def test_the_cost_saved_is_the_difference_of_expected_costs_each_at_its_own_threshold():
    y = labels()
    new, old = answers(1, y, 1, threshold=0.8), answers(1, y, 2, threshold=0.3)
    expected = np.mean(COSTS.of_decisions(y, old[1])) - np.mean(COSTS.of_decisions(y, new[1]))
    assert compare(y, new, old, SAME_COSTS).cost.saved.value == pytest.approx(expected)


def test_a_threshold_alone_changes_the_cost_and_not_the_auc():
    y = labels()
    lax, strict = answers(1, y, 1, threshold=0.2), answers(1, y, 1, threshold=0.8)
    compared = compare(y, strict, lax, SAME_COSTS)
    assert (compared.auc.low, compared.auc.high) == (0, 0)
    assert compared.cost.saved.low > 0


def test_pairing_narrows_the_interval():
    y = labels()
    first = answers(1, y, 1)
    alike = (first[0] + 1e-3 * np.random.default_rng(5).normal(size=len(y)), first[1])
    paired = compare(y, first, alike, SAME_COSTS).auc
    apart = compare(y, first, answers(1, y, 2), SAME_COSTS).auc
    assert paired.high - paired.low < (apart.high - apart.low) / 10


def test_flips_count_both_directions_and_savings_follow_label_and_decision():
    y, p = np.array([1, 0, 1, 0, 0]), np.linspace(0.1, 0.9, 5)
    new, old = np.array([1, 1, 1, 0, 0]), np.array([0, 0, 1, 1, 0])
    compared = compare(y, (p, new), (p, old), SAME_COSTS)
    assert compared.flips == {"approved now, denied before": 2, "denied now, approved before": 1}
    assert compared.cost.saved.value == pytest.approx(np.mean([1, -5, 0, 5, 0]))


def test_a_comparison_is_a_json_document():
    y = labels()
    first, again = (asdict(compare(y, answers(1, y, 1), answers(1, y, 2), SAME_COSTS)) for _ in range(2))
    assert json.loads(json.dumps(first)) == first == again
    assert set(first) == {"rows", "auc", "cost", "cost_before", "flips", "looks"}
    assert set(first["auc"]) == {"value", "low", "high"}


def test_costs_of_the_champions_rule_are_judged_too_where_they_differ():
    y = labels()
    lax, strict = answers(1, y, 1, threshold=0.2), answers(1, y, 1, threshold=0.8)
    compared = compare(y, lax, strict, (Costs(0.009, 0.003), Costs(5.0, 1.0)))
    assert compared.cost_before.saved.value == pytest.approx(compare(y, lax, strict, SAME_COSTS).cost.saved.value)
    assert compared.cost_before.champion == pytest.approx(np.mean(COSTS.of_decisions(y, strict[1])))
    assert compare(y, lax, strict, SAME_COSTS).cost_before is None
    assert compare(y, lax, strict, (Costs(0.05, 0.01), Costs(5.0, 1.0))).cost_before is None  # another unit alone


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_exact_interval_is_scipys(count, more):
    found = binomtest(count, count + more).proportion_ci(method="exact")
    assert exact_interval(count, count + more) == pytest.approx((found.low, found.high))


def test_no_flips_in_few_rows_are_no_proof():
    y = np.repeat([0, 1], [76, 304])
    other = np.full(380, 0.5)
    found = cost_saved(y, y, y, Costs(10.0, 1.0), None)
    assert found.value == 0
    assert found.low < -0.09  # up to 3.7 of 380 wrong approvals may have been missed, at 10 each
    assert compare(y, (other, y), (other + 1e-9 * y, y), (COSTS, COSTS)).cost.saved.low < 0


def test_copies_of_rows_narrow_no_interval_of_the_cost():
    y, new, old = (np.random.default_rng(seed).integers(0, 2, 200) for seed in (1, 2, 3))
    once, again = cost_saved(y, new, old, COSTS, np.arange(200)), np.repeat(np.arange(200), 4)
    copied = cost_saved(y[again], new[again], old[again], COSTS, again)
    assert [copied.value, copied.low, copied.high] == pytest.approx([once.value, once.low, once.high])


@pytest.mark.parametrize(("rows", "approval", "margin"), WORSE_MODELS)
def test_a_model_worse_by_just_more_than_the_margin_hardly_passes(rows, approval, margin):
    passed = sum(passes_though_worse(rows, approval, margin, number) for number in range(200))
    assert passed <= 12  # of 2.5 %, more have a probability of 0.3 %


def test_several_looks_divide_the_error_among_them():
    y = np.repeat([0, 1], 100)
    once = cost_saved(y, np.roll(y, 5), y, COSTS, None, error=0.025 / 4)
    p = np.random.default_rng(2).random(200)
    new, old = (p, np.roll(y, 5)), (1 - p, y)
    compared = compare(y, new, old, (COSTS, COSTS), looks=4)
    assert compared.cost.saved == once
    single = compare(y, new, old, (COSTS, COSTS))
    assert compared.auc == auc_gain(y, p, 1 - p, error=0.025 / 4)
    assert compared.auc.low < single.auc.low
