"""The same answer to everybody: what it costs, and what a model gains on it."""

import json

import numpy as np
import pytest

from loan_approval.evaluation.baseline import compare_with_baseline
from loan_approval.evaluation.costs import Costs

Y = np.repeat([1, 1, 1, 0], 100)
EVEN = Costs(1.0, 1.0)


def test_approving_everybody_gains_nothing_where_most_are_approved():
    found = compare_with_baseline(Y, np.ones(400, dtype=int), EVEN, seed=0)
    assert json.loads(json.dumps(found)) == found
    assert found["accuracy"] == {"model": 0.75, "baseline": 0.75}
    assert found["cost"] == {"model": 0.25, "baseline": 0.25}
    assert found["accuracy_gained"] == found["cost_saved"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["words"].count("not to be told from it") == 2


def test_a_right_model_gains_all_that_the_same_answer_gets_wrong():
    found = compare_with_baseline(Y, Y, EVEN, seed=0)
    assert (found["accuracy_gained"]["value"], found["cost_saved"]["value"]) == (0.25, 0.25)
    assert found["words"].count("(better)") == 2


def test_the_cheaper_answer_to_everybody_counts_for_the_cost_and_the_commoner_for_the_accuracy():
    found = compare_with_baseline(Y, np.ones(400, dtype=int), Costs(10.0, 1.0), seed=0)
    assert found["cost"] == {"model": pytest.approx(2.5), "baseline": pytest.approx(0.75)}
    assert found["accuracy"]["baseline"] == 0.75
    assert "(worse)" in found["words"]


def test_the_answer_to_everybody_may_be_a_denial():
    found = compare_with_baseline(1 - Y, np.zeros(400, dtype=int), EVEN, seed=0)
    assert (found["accuracy"]["baseline"], found["cost"]["baseline"]) == (0.75, 0.25)
    assert (found["accuracy_gained"]["value"], found["cost_saved"]["value"]) == (0.0, 0.0)
