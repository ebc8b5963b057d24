import json

import numpy as np
import pytest

from loan_approval.evaluation.comparison import Answers, compare, count_flips, savings
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.metrics import expected_cost

COSTS = Costs(wrong_approval=5.0, wrong_denial=1.0)


def answers(signal, y, seed, threshold=0.5):
    p = 1 / (1 + np.exp(-(signal * (y - 0.5) + np.random.default_rng(seed).normal(size=len(y)))))
    return Answers(p, (p >= threshold).astype(int))


def labels(rows=400):
    return np.random.default_rng(3).integers(0, 2, rows)


def test_the_same_answers_differ_in_nothing():
    y = labels()
    same = answers(1, y, 1)
    found = compare(y, same, same, COSTS, seed=7)
    assert (found.auc.low, found.auc.high, found.cost.low, found.cost.high) == (0, 0, 0, 0)
    assert sum(found.flips.values()) == 0


def test_what_a_better_challenger_gains_is_above_zero_and_the_other_way_round_below():
    y = labels()
    good, poor = answers(3, y, 1), answers(0, y, 2)
    gained, lost = compare(y, good, poor, COSTS, seed=7), compare(y, poor, good, COSTS, seed=7)
    assert min(gained.auc.low, gained.cost.low) > 0
    assert max(lost.auc.high, lost.cost.high) < 0
    assert gained.auc.value == pytest.approx(-lost.auc.value)


def test_the_cost_saved_is_the_difference_of_expected_costs_each_at_its_own_threshold():
    y = labels()
    new, old = answers(1, y, 1, threshold=0.8), answers(1, y, 2, threshold=0.3)
    expected = expected_cost(y, old.decided, 5, 1) - expected_cost(y, new.decided, 5, 1)
    assert compare(y, new, old, COSTS, seed=7).cost.value == pytest.approx(expected)


def test_a_threshold_alone_changes_the_cost_and_not_the_auc():
    y = labels()
    lax, strict = answers(1, y, 1, threshold=0.2), answers(1, y, 1, threshold=0.8)
    found = compare(y, strict, lax, COSTS, seed=7)
    assert (found.auc.low, found.auc.high) == (0, 0)
    assert found.cost.low > 0


def test_pairing_narrows_the_interval():
    y = labels()
    first = answers(1, y, 1)
    alike = Answers(first.p + 1e-3 * np.random.default_rng(5).normal(size=len(y)), first.decided)
    paired = compare(y, first, alike, COSTS, seed=7).auc
    apart = compare(y, first, answers(1, y, 2), COSTS, seed=7).auc
    assert paired.high - paired.low < (apart.high - apart.low) / 10


def test_savings_follow_label_and_decision():
    y = np.array([0, 0, 1, 1, 0, 1])
    new, old = np.array([0, 1, 1, 0, 1, 1]), np.array([1, 0, 0, 1, 1, 1])
    assert savings(y, new, old, COSTS).tolist() == [5, -5, 1, -1, 0, 0]


def test_flips_count_both_directions():
    new, old = np.array([1, 1, 1, 0, 0]), np.array([0, 0, 1, 1, 0])
    assert count_flips(new, old) == {"approved now, denied before": 2, "denied now, approved before": 1}


def test_a_comparison_is_a_json_document_and_follows_from_the_seed():
    y = labels()
    first, again = (compare(y, answers(1, y, 1), answers(1, y, 2), COSTS, seed=7).to_dict() for _ in range(2))
    assert json.loads(json.dumps(first)) == first == again
    assert set(first) == {"rows", "auc", "cost", "flips"}
    assert set(first["auc"]) == {"value", "low", "high"}
