import json
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.gates import Gate, champion_gate, confirmation_gate, overall, parity_gate, signal_gate
from loan_approval.parity import ParityReport
from loan_approval.training import Recipe, out_of_fold

RECIPE = Recipe("logistic_regression", "median_imputer_with_scaler", seed=7)


def drawn(signal, rows=400):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, rows)
    return y, 1 / (1 + np.exp(-(signal * (y - 0.5) + rng.normal(size=rows))))


def test_a_model_of_real_signal_passes(loans):
    gate = signal_gate(*out_of_fold(RECIPE, loans, folds=3)[:2], seed=7)
    assert gate.passed
    assert gate.words.startswith("the model ranks better than chance: out-of-fold AUC 0.8")


def test_a_model_of_noise_cannot_be_told_from_chance(noise):
    gate = signal_gate(*out_of_fold(RECIPE, noise, folds=3)[:2], seed=7)
    assert not gate.passed
    assert gate.words.startswith("the model cannot be told from chance: ")
    assert gate.numbers["p_value"] > 0.01


def test_ranking_unseen_rows_well_confirms_the_signal():
    gate = confirmation_gate(*drawn(1), seed=7)
    assert gate.passed
    assert gate.words.startswith("on rows it never saw the model ranks better than chance: AUC 0.7")


def test_ranking_unseen_rows_as_chance_does_fails():
    y, _ = drawn(1)
    gate = confirmation_gate(y, np.random.default_rng(1).random(len(y)), seed=7)
    assert not gate.passed
    assert "cannot be told from chance" in gate.words


def test_confirmation_is_at_its_level_on_noise():
    y, rng = np.arange(80) % 2, np.random.default_rng(2)
    passed = sum(confirmation_gate(y, rng.random(80), seed=seed).passed for seed in range(200))
    assert 2 <= passed <= 20  # 10 expected


def test_ranking_well_with_wrong_probabilities_is_not_enough():
    y, p = drawn(2)
    gate = signal_gate(y, 0.05 * p + 0.949, seed=7)
    assert not gate.passed
    assert "ranks better than chance, but its probabilities say less than the base rate" in gate.words


def test_without_a_champion_there_is_nothing_to_be_worse_than():
    gate = champion_gate(*drawn(1), None, margin=0.0, seed=7)
    assert gate.passed
    assert "nothing is in production" in gate.words


@pytest.mark.parametrize("margin", [0.0, 0.01])
def test_the_same_scores_pass(margin):
    y, p = drawn(1)
    gate = champion_gate(y, p, p, margin, seed=7)
    assert gate.passed
    assert gate.words.startswith("not worse than production: AUC difference 0.000 [0.000, 0.000]")


def test_a_clearly_worse_challenger_fails():
    y, p = drawn(2)
    gate = champion_gate(y, np.random.default_rng(1).random(len(y)), p, 0.01, seed=7)
    assert not gate.passed
    assert gate.words.startswith("may be worse than production: AUC difference -0.")
    assert "at or above -0.01 required" in gate.words


def test_a_better_challenger_is_said_to_be_better():
    y, p = drawn(2)
    gate = champion_gate(y, p, np.random.default_rng(1).random(len(y)), 0.0, seed=7)
    assert gate.passed
    assert gate.words.startswith("better than production")
    assert gate.numbers["low"] > 0


def test_a_loss_passes_when_even_its_lower_bound_is_within_the_margin():
    y, p = drawn(2)
    worse = np.where(np.arange(len(y)) < 8, 0.5, p)
    difference = champion_gate(y, worse, p, 0.0, seed=7).numbers
    between = -(difference["value"] + difference["low"]) / 2
    assert not champion_gate(y, worse, p, between, seed=7).passed
    assert champion_gate(y, worse, p, -difference["low"], seed=7).passed


PARITY = ParityReport(rows=1000, differing=0, near=3, largest=5e-7)


@pytest.mark.parametrize(
    ("report", "passed"),
    [(PARITY, True), (replace(PARITY, differing=1), False), (replace(PARITY, rows=0), False)],
)
def test_no_decision_may_differ(report, passed):
    gate = parity_gate(report)
    assert gate.passed is passed
    assert f"{report.differing} of {report.rows:,} decisions differ" in gate.words
    assert "3 rows lie within 1e-6" in gate.words


def test_a_gate_is_a_json_document():
    for gate in (parity_gate(PARITY), signal_gate(*drawn(1), seed=7), champion_gate(*drawn(1), drawn(2)[1], 0.1, 7)):
        assert json.loads(json.dumps(gate.to_dict())) == gate.to_dict()


@pytest.mark.parametrize(("passed", "verdict"), [([True, True], "passed"), ([True, False], "failed"), ([], "failed")])
def test_the_verdict_is_passed_when_every_gate_is(passed, verdict):
    assert overall([Gate("any", each, "", {}) for each in passed]) == verdict
