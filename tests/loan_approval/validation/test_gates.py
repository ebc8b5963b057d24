import json
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.evaluation.comparison import Comparison
from loan_approval.evaluation.metrics import Interval
from loan_approval.training.cross_validation import CrossValidation, cross_validate
from loan_approval.training.fit import Recipe
from loan_approval.validation.gates import (
    Gate,
    Margins,
    champion_gate,
    confirmation_gate,
    overall,
    parity_gate,
    signal_gate,
)
from loan_approval.validation.parity import ParityReport

RECIPE = Recipe("logistic_regression", "median_imputer_with_scaler", seed=7)


def drawn(signal, rows=400):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, rows)
    return y, 1 / (1 + np.exp(-(signal * (y - 0.5) + rng.normal(size=rows))))


def validated(signal, rows=400, seed=5):
    """Return a made-up cross-validation: 3 repeats of 5 folds."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) % 2)
    p = np.array([signal * y + rng.normal(size=rows) for _ in range(3)])
    return CrossValidation(y, p, np.array([rng.permutation(np.arange(rows) % 5) for _ in range(3)]))


def test_a_model_of_real_signal_passes(loans):
    gate = signal_gate(cross_validate(RECIPE, loans, repeats=2, folds=3), seed=7)
    assert gate.passed
    assert gate.words.startswith("the model ranks better than chance: out-of-fold AUC 0.8")
    assert "over 2 x 3 folds" in gate.words


def test_a_model_of_noise_cannot_be_told_from_chance(noise):
    gate = signal_gate(cross_validate(RECIPE, noise, repeats=2, folds=3), seed=7)
    assert not gate.passed
    assert gate.words.startswith("the model cannot be told from chance: ")
    assert gate.numbers["p_value"] > 0.01


@pytest.mark.parametrize(
    ("p_value", "low", "passed"), [(0.01, 0.501, True), (0.0101, 0.501, False), (0.01, 0.5, False)]
)
def test_signal_needs_a_small_p_value_and_an_interval_above_chance(monkeypatch, p_value, low, passed):
    monkeypatch.setattr(CrossValidation, "auc", lambda self: Interval(0.6, low, 0.7))
    monkeypatch.setattr(CrossValidation, "p_value", lambda self, seed: p_value)
    gate = signal_gate(validated(1), seed=7)
    assert gate.passed is passed
    assert ("better than chance" in gate.words) is passed


def test_the_scale_of_uncalibrated_scores_does_not_matter():
    given = validated(1)
    overconfident = CrossValidation(given.y, 1 / (1 + np.exp(-50 * given.p)).round(12), given.fold)
    assert signal_gate(given, seed=7).passed
    assert signal_gate(overconfident, seed=7).passed


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
    assert 10 <= passed <= 32  # 20 expected


MARGINS = Margins(auc=0.01, cost=0.02)
FLIPS = {"approved now, denied before": 12, "denied now, approved before": 3}


def compared(auc, cost):
    return Comparison(4000, Interval(*auc), Interval(*cost), FLIPS)


EQUAL = (0.0, -0.005, 0.005)


def test_without_a_champion_there_is_nothing_to_be_worse_than():
    gate = champion_gate(None, MARGINS)
    assert gate.passed
    assert "nothing is in production" in gate.words


@pytest.mark.parametrize(
    ("auc", "cost", "passed"),
    [
        (EQUAL, EQUAL, True),
        ((-0.005, -0.01, 0.0), (-0.01, -0.02, 0.0), True),  # at the margins
        ((-0.005, -0.0101, 0.0), EQUAL, False),
        (EQUAL, (-0.01, -0.0201, 0.0), False),
        ((0.05, 0.04, 0.06), (-0.05, -0.06, -0.04), False),  # a better ranking does not pay for dearer decisions
    ],
)
def test_neither_auc_nor_cost_may_be_lost_beyond_its_margin(auc, cost, passed):
    assert champion_gate(compared(auc, cost), MARGINS).passed is passed


def test_what_is_better_is_said_to_be_better_with_its_interval():
    gate = champion_gate(compared((0.03, 0.02, 0.04), EQUAL), MARGINS)
    assert gate.words.startswith(
        "AUC: better than production, difference 0.030 [0.020, 0.040] (lower bound at or above"
    )
    assert "cost saved an application: not worse than production, difference 0.000 [-0.005, 0.005]" in gate.words


def test_a_bound_at_zero_is_not_better():
    words = champion_gate(compared((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), MARGINS).words
    assert words.count("not worse than production") == 2


def test_what_may_be_better_too_is_said_to_be_perhaps_worse():
    gate = champion_gate(compared((-0.1, -0.4, 0.2), EQUAL), MARGINS)
    assert gate.words.startswith("AUC: may be worse than production")


def test_what_is_worse_is_said_with_what_was_required():
    gate = champion_gate(compared((-0.3, -0.4, -0.2), EQUAL), MARGINS)
    assert gate.words.startswith("AUC: worse than production, difference -0.300 [-0.400, -0.200]")
    assert "(lower bound at or above -0.01 required)" in gate.words
    assert "too few" not in gate.words


def test_an_interval_too_wide_to_tell_is_said_to_be_of_too_few_rows():
    gate = champion_gate(compared((0.0, -0.05, 0.05), (0.0, -0.05, 0.05)), MARGINS)
    assert not gate.passed
    assert "4,000 test rows are too few to tell AUC and cost saved an application" in gate.words


def test_flips_are_told_by_direction_in_words_and_numbers():
    gate = champion_gate(compared(EQUAL, EQUAL), MARGINS)
    assert "12 of 4,000 approved now, denied before; 3 of 4,000 denied now, approved before" in gate.words
    assert {name: gate.numbers[name] for name in FLIPS} == FLIPS


PARITY = ParityReport(rows=1000, differing=0, near=3, largest=5e-7)


@pytest.mark.parametrize(
    ("report", "passed"),
    [(PARITY, True), (replace(PARITY, differing=1), False), (replace(PARITY, rows=0), False)],
)
def test_no_decision_may_differ(report, passed):
    gate = parity_gate(report)
    assert gate.passed is passed
    assert f"{report.differing} of {report.rows:,} decisions or review bands differ" in gate.words
    assert "3 rows lie within 1e-6" in gate.words


def test_a_gate_is_a_json_document():
    for gate in (parity_gate(PARITY), signal_gate(validated(1), 7), champion_gate(compared(EQUAL, EQUAL), MARGINS)):
        assert json.loads(json.dumps(gate.to_dict())) == gate.to_dict()


@pytest.mark.parametrize(("passed", "verdict"), [([True, True], "passed"), ([True, False], "failed"), ([], "failed")])
def test_the_verdict_is_passed_when_every_gate_is(passed, verdict):
    assert overall([Gate("any", each, "", {}) for each in passed]) == verdict
