import json

import numpy as np
import pytest

from loan_approval.evaluation.costs import (
    Costs,
    compare_with_baseline,
    cost_curve,
    describe_costs,
    name_errors,
    referral_curve,
)
from serve.contract.rules import MEANINGS

RNG = np.random.default_rng(0)
P = RNG.uniform(0.02, 0.98, 500)
Y = (RNG.random(500) < P).astype(int)
COSTS = Costs(3.0, 1.0)
COMPARED_COSTS = Costs(wrong_approval=5.0, wrong_denial=1.0)


def test_each_meaning_of_the_target_has_words_of_its_own():
    words = {meaning: name_errors(meaning) for meaning in MEANINGS}
    assert len({each.wrong_approval for each in words.values()}) == len(MEANINGS) == 2
    assert words["repaid"].wrong_approval == "a bad loan approved"
    assert "past decision" in words["past_decision"].wrong_approval
    assert "past" not in "".join(words["repaid"].__dict__.values())
    assert words["past_decision"].right.format(0.5) == "agrees with 50.0% of the past decisions"


def test_the_curve_is_the_expected_cost_and_the_approval_rate_at_each_threshold():
    thresholds = np.array([0.1, 0.5, 0.75])
    cost, approved = cost_curve(Y, P, thresholds, COSTS)
    assert cost == pytest.approx([np.mean(COSTS.of_decisions(Y, t <= P)) for t in thresholds])
    assert approved == pytest.approx([np.mean(t <= P) for t in thresholds])


def test_a_wrong_approval_and_a_wrong_denial_cost_what_was_said_and_a_right_decision_nothing():
    y = np.array([0, 0, 1, 1, 1, 0])
    assert COSTS.of_decisions(y, np.array([1, 1, 0, 1, 1, 0])).tolist() == [3, 3, 1, 0, 0, 0]
    assert COSTS.of_decisions(y, 1).tolist() == [3, 3, 0, 0, 0, 3]


def test_a_referred_row_costs_a_review_and_no_error():
    y, p = np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.5, 0.8, 0.1, 0.5, 0.8])
    assert COSTS.of_rows(y, p, 0.5, (0.5, 0.5)).tolist() == [0, 3, 3, 1, 0, 0]
    assert COSTS.of_rows(y, p, 0.5, (0.4, 0.8)).tolist() == [0, 0, 3, 1, 0, 0]
    assert Costs(3.0, 1.0, 0.25).of_rows(y, p, 0.5, (0.4, 0.8)).tolist() == [0, 0.25, 3, 1, 0.25, 0]


def test_a_wider_band_refers_more_and_leaves_fewer_errors():
    width, cost, share = referral_curve(Y, P, 0.7, (0.6, 0.75), np.array([0, 1, 2, 20]), COSTS)
    assert width == pytest.approx([0, 0.15, 0.3, 1])
    assert cost[0] == pytest.approx(np.mean(COSTS.of_decisions(Y, P >= 0.7)))
    assert (share[0], cost[-1], share[-1]) == (0, 0, 1)
    assert np.all(np.diff(cost) < 0)
    assert np.all(np.diff(share) > 0)


def test_an_old_rule_without_costs_counts_errors():
    assert Costs.of_rule({"threshold": 0.5}) == Costs(1.0, 1.0, None)


def test_the_description_is_a_json_document_of_rule_costs_and_curve():
    rule = {"threshold": 0.7, "cost_wrong_approval": 3.0, "cost_wrong_denial": 1.0, "cost_review": 0.2}
    described = describe_costs(rule | {"review_band": [0.6, 0.75]}, (0.6, 0.75), "repaid", Y, P)
    described = json.loads(json.dumps(described, allow_nan=False))
    assert (described["threshold"], described["review_band"]) == (0.7, [0.6, 0.75])
    assert described["costs"] == {"wrong_approval": 3.0, "wrong_denial": 1.0, "review": 0.2}
    assert described["words"]["wrong_denial"] == "a good loan lost"
    assert described["share_referred"] == pytest.approx(np.mean((P >= 0.6) & (P < 0.75)))
    assert described["approval_rate"] == pytest.approx(np.mean(P >= 0.7))
    for key in ("cost", "cost_with_review"):
        assert described[key]["low"] < described[key]["value"] < described[key]["high"]
    assert described["cost_with_review"]["value"] < described["cost"]["value"]
    step = described["curve"][13]
    assert step["threshold"] == 0.7
    assert step["cost"] == pytest.approx(described["cost"]["value"])


def test_without_a_band_nobody_is_referred_and_both_costs_are_one():
    described = describe_costs({"threshold": 0.7}, (0.7, 0.7), "past_decision", Y, P)
    assert (described["review_band"], described["share_referred"]) == (None, 0.0)
    assert described["cost"] == described["cost_with_review"]


THREE_OF_FOUR = np.repeat([1, 1, 1, 0], 100)
EVEN = Costs(1.0, 1.0)


def test_approving_all_gains_nothing_where_most_are_approved():
    compared = compare_with_baseline(THREE_OF_FOUR, np.ones(400, dtype=int), EVEN)
    assert json.loads(json.dumps(compared)) == compared
    assert compared["accuracy"] == {"model": 0.75, "baseline": 0.75}
    assert compared["cost"] == {"model": 0.25, "baseline": 0.25}
    assert compared["accuracy_gained"] == compared["cost_saved"]
    assert compared["cost_saved"]["low"] < compared["cost_saved"]["value"] == 0 < compared["cost_saved"]["high"]
    assert compared["words"].count("no clear difference") == 2
    assert compared["words"].endswith("That it costs less than deciding everybody alike is not shown.")


def test_a_right_model_gains_all_that_the_constant_baseline_gets_wrong():
    compared = compare_with_baseline(THREE_OF_FOUR, THREE_OF_FOUR, EVEN)
    assert (compared["accuracy_gained"]["value"], compared["cost_saved"]["value"]) == (0.25, 0.25)
    assert compared["words"].count("(better)") == 2
    assert "not shown" not in compared["words"]


def test_the_baseline_is_the_cheaper_constant_for_the_cost_and_the_commoner_for_the_accuracy():
    compared = compare_with_baseline(THREE_OF_FOUR, np.ones(400, dtype=int), Costs(10.0, 1.0))
    assert compared["cost"] == {"model": pytest.approx(2.5), "baseline": pytest.approx(0.75)}
    assert compared["accuracy"]["baseline"] == 0.75
    assert "(worse)" in compared["words"]


def test_the_constant_baseline_may_be_a_denial():
    compared = compare_with_baseline(1 - THREE_OF_FOUR, np.zeros(400, dtype=int), EVEN)
    assert (compared["accuracy"]["baseline"], compared["cost"]["baseline"]) == (0.75, 0.25)
    assert (compared["accuracy_gained"]["value"], compared["cost_saved"]["value"]) == (0.0, 0.0)
