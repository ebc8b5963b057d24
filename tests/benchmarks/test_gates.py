"""How often noise and weak signal pass the gates of signal, 20 sets each; slow factories: tests/hard."""

from dataclasses import replace

import numpy as np
import pytest

from loan_approval.data.splits import assign_splits, identify_rows
from loan_approval.evaluation.metrics import fast_auc
from tests.benchmarks.gates import Outcome, judge_set, judge_sets, row_of
from tests.simulated_signal import LEAST_WEAK, MOST_NOISE, MOST_SIGNAL_ALONE, SETS, grouped_set, noise_set, weak_set


def test_noise_hardly_ever_passes():
    outcomes = judge_sets("logistic_regression", "noise", SETS)
    assert sum(outcome.passed for outcome in outcomes) <= MOST_NOISE


@pytest.mark.parametrize("kind", ["repeated", "repeated 10", "grouped"])
def test_noise_with_copies_or_groups_passes_no_more_often(kind):
    outcomes = judge_sets("logistic_regression", kind, SETS)
    assert sum(outcome.passed for outcome in outcomes) <= MOST_NOISE
    assert sum(outcome.signal for outcome in outcomes) <= MOST_SIGNAL_ALONE
    assert sum(outcome.refused for outcome in outcomes) < SETS / 4


def test_noise_of_pairs_passes_both_gates_no_more_often():
    outcomes = judge_sets("logistic_regression", "repeated 2", SETS, both_only=True)
    assert sum(outcome.passed for outcome in outcomes) <= MOST_NOISE
    assert sum(outcome.refused for outcome in outcomes) < SETS / 4


def test_boosting_learns_no_copies_by_heart():
    outcome = judge_set("hist_gradient_boosting", "repeated", 1)
    assert not outcome.signal
    assert outcome.auc == pytest.approx(0.5, abs=0.06)


def test_noise_with_groups_would_pass_if_the_rows_of_a_group_were_split(monkeypatch):
    def ungrouped(number, most):
        made = grouped_set(number, most)
        contract = replace(made.contract, split_by="row")
        splits = assign_splits(identify_rows(made.X, "row"), contract.split_salt)
        return replace(made, contract=contract, splits=splits, keys=np.array([], dtype=object))

    monkeypatch.setattr("tests.benchmarks.gates.grouped_set", ungrouped)
    assert judge_set("hist_gradient_boosting", "grouped", 1).passed


def test_weak_signal_nearly_always_passes():
    outcomes = judge_sets("logistic_regression", "weak", SETS)
    assert sum(outcome.passed for outcome in outcomes) >= LEAST_WEAK
    assert np.mean([outcome.auc for outcome in outcomes]) == pytest.approx(0.6, abs=0.015)


@pytest.mark.parametrize("make", [noise_set, lambda number: weak_set(number, 0.5)], ids=["noise", "weak"])
def test_a_number_fixes_a_set_and_another_gives_another(make):
    np.testing.assert_array_equal(make(2).X, make(2).X)
    np.testing.assert_array_equal(make(2).y, make(2).y)
    assert not np.array_equal(make(4).y[:400], make(2).y[:400])


def test_sets_of_noise_differ_in_size_contract_and_base_rate():
    sets = [noise_set(number) for number in range(30)]
    assert {dataset.contract.model_name for dataset in sets} == {"loan_approval_model", "gaussian"}
    rows, rates = [len(dataset.y) for dataset in sets], [dataset.y.mean() for dataset in sets]
    assert 500 <= min(rows) < 1000 < 4000 < max(rows) <= 5000
    assert min(rates) < 0.3 < 0.7 < max(rates)


def test_a_stronger_signal_is_ranked_better_by_the_feature_that_carries_it():
    aucs = [fast_auc(each.y, np.nan_to_num(each.X[:, 2], nan=650)) for each in (weak_set(0, 0), weak_set(0, 2))]
    assert aucs[0] == pytest.approx(0.5, abs=0.05)
    assert aucs[1] > aucs[0] + 0.1


def test_rows_that_do_not_suffice_to_train_are_counted_as_refused(monkeypatch):
    rare = noise_set(1)
    rare = replace(rare, y=(np.arange(len(rare.y)) < 20).astype(int))
    monkeypatch.setattr("tests.benchmarks.gates.noise_set", lambda number: rare)
    outcome = judge_set("logistic_regression", "noise", 1)
    assert outcome.refused
    assert not outcome.passed


def test_the_table_counts_what_passed_both_gates():
    both = Outcome("m", "noise", 0, 500, signal=True, confirmed=True, auc=0.7, seconds=1.0)
    outcomes = [
        both,
        replace(both, confirmed=False, auc=0.5),
        replace(both, signal=False),
        Outcome("m", "noise", 3, 9, True),
    ]
    assert row_of(outcomes) == "| m, noise | 4 | 377 | 1 [4.6%, 69.9%] | 2 | 1 | 0.633 | 0.8 |"


def test_where_both_gates_alone_count_a_set_that_fails_the_confirmation_is_not_cross_validated():
    whole = [judge_set("logistic_regression", "weak", number) for number in range(2)]
    spared = [
        judge_set("logistic_regression", kind, number, both_only=True)
        for kind in ("weak", "noise")
        for number in range(2)
    ]
    assert [outcome.passed for outcome in spared[:2]] == [outcome.passed for outcome in whole]
    assert {outcome.confirmed: outcome.signal for outcome in spared} == {True: True, False: None}
    assert " | – | 0 | – | " in row_of(spared)
