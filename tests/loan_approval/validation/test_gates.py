import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from loan_approval.evaluation.comparison import Comparison, CostGain
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.intervals import Interval
from loan_approval.training.background import make_background
from loan_approval.training.cross_validation import CrossValidation, cross_validate
from loan_approval.training.export import export
from loan_approval.training.factory import ModelFactory, factory_names
from loan_approval.training.fit import Recipe, score
from loan_approval.validation.gates import (
    Gate,
    Margins,
    champion_gate,
    check_reasons,
    confirmation_gate,
    overall,
    parity_gate,
    reasons_gate,
    signal_gate,
)
from loan_approval.validation.parity import ParityReport, range_rows
from serve.model import shapley
from serve.model.scorer import Scorer
from serve.model.shapley import CLIP, Explainer

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
    return CrossValidation(y, p, np.array([rng.permutation(np.arange(rows) % 5) for _ in range(3)]), np.arange(rows))


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
    overconfident = replace(given, p=1 / (1 + np.exp(-50 * given.p)).round(12))
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


MARGINS = Margins()  # 0.01, and a tenth of the champion's cost of 0.2
FLIPS = {"approved now, denied before": 12, "denied now, approved before": 3}


def compared(auc, cost, before=None):
    at_before = CostGain(Costs(5, 1), Interval(*before), 0.2) if before else None
    return Comparison(4000, Interval(*auc), CostGain(Costs(1, 1), Interval(*cost), 0.2), at_before, FLIPS)


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
    assert "it would take about 100,000" in gate.words  # 25 times as many: the interval is to reach 0.01 and not 0.05


def test_the_candidates_own_costs_alone_do_not_judge_it():
    words = champion_gate(compared(EQUAL, EQUAL, before=(-0.032, -0.04, -0.021)), MARGINS)
    assert not words.passed
    assert "at production's own costs: worse than production" in words.words


def test_costs_in_another_ratio_are_a_change_of_policy_that_takes_a_recorded_force():
    gate = champion_gate(compared(EQUAL, EQUAL, before=EQUAL), MARGINS)
    assert not gate.passed
    assert "a change of policy" in gate.words
    assert gate.words.endswith("pass by a recorded force alone")


@pytest.mark.parametrize("margins", [Margins(auc=1.0), Margins(cost=0.5)])
def test_wider_margins_than_the_projects_pass_nothing(margins):
    gate = champion_gate(compared(EQUAL, EQUAL), margins)
    assert not gate.passed
    assert "pass by a recorded force alone" in gate.words
    assert champion_gate(compared(EQUAL, EQUAL), Margins(auc=0.005, cost=0.05)).passed


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


@pytest.mark.parametrize("dataset", ["loans", "homes"])
def test_the_reasons_of_a_file_add_up(make_model: Callable, dataset: str) -> None:
    made = make_model(dataset, "logistic_regression")
    X, _ = made.dataset.rows("test")

    found = check_reasons(Scorer(made.data), X)
    assert found["method"] == "exact"
    assert found["error"] == 0.0
    assert found["largest_gap"] < 1e-9
    assert 0 < found["rows"] <= 200
    assert found["features"] == X.shape[1]
    sizes = list(found["mean_contribution"].values())
    assert len(sizes) == X.shape[1]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0


def test_reasons_that_do_not_add_up_show(make_model: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_model("loans", "logistic_regression")

    honest = Explainer.explain
    monkeypatch.setattr(
        Explainer, "explain", lambda self, X: replace(honest(self, X), values=honest(self, X).values + 0.1)
    )
    assert check_reasons(Scorer(made.data), made.dataset.rows("test")[0])["largest_gap"] == pytest.approx(0.7)


def test_a_file_whose_approved_applicants_lie_above_the_threshold_has_a_reason_for_every_decline(
    make_model: Callable,
) -> None:
    made = make_model("loans", "logistic_regression")
    gate = reasons_gate(check_reasons(Scorer(made.data), made.dataset.rows("test")[0]))
    assert gate.passed
    assert gate.words.endswith("every decline has a reason")


def test_a_threshold_of_one_half_has_no_minus_before_its_zero(make_model: Callable) -> None:
    made = make_model("loans", "logistic_regression")
    checked = check_reasons(Scorer(made.data), made.dataset.rows("test")[0])
    assert "the threshold's 0.000:" in reasons_gate(checked | {"threshold": -0.0001}).words


@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_a_strict_rule_has_a_reason_for_every_decline_too(make_model: Callable, model_name: str) -> None:
    made = make_model("loans", model_name)
    X = made.dataset.rows("train")[0]
    scores = np.unique(score(made.pipeline, X))
    threshold = float(scores[int(0.9 * len(scores))] + scores[int(0.9 * len(scores)) - 1]) / 2
    background = make_background(made.dataset, made.pipeline, threshold)
    data = export(made.pipeline, made.recipe, made.dataset.contract, {"threshold": threshold}, {}, background)
    assert reasons_gate(check_reasons(Scorer(data), X)).passed


def test_the_stated_average_of_the_approved_is_that_of_the_people_behind_the_centres(make_model: Callable) -> None:
    made = make_model("loans", "logistic_regression")
    p = score(made.pipeline, made.dataset.rows("train")[0])
    p = p[p >= made.decision["threshold"]]
    found = check_reasons(Scorer(made.data), made.dataset.rows("test")[0])
    assert found["base"] == pytest.approx(np.mean(np.log(p / (1 - p))), abs=0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"threshold": 5.0}, "a decline may lack a reason"), ({"largest_gap": 2e-6}, "by at most 2e-06")],
)
def test_a_file_that_could_decline_without_a_reason_or_misses_its_own_answer_fails(change: dict, words: str) -> None:
    found = {"largest_gap": 1e-12, "base": 1.0, "threshold": 0.0, "features": 7}
    assert reasons_gate(found).passed
    gate = reasons_gate(found | change)
    assert not gate.passed
    assert words in gate.words


# The server's reasons beside those of `shap`, which is in the development environment only.
@pytest.fixture(scope="module")
def shap() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, as it sets up colours for plots
        import shap
    return shap


def by_shap(shap: ModuleType, scorer: Scorer, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return base (n,) and values (n, F) of rows, over the same background."""

    def log_odds(rows: np.ndarray) -> np.ndarray:
        p = np.clip(scorer.score(rows), CLIP, 1 - CLIP)
        return np.log(p / (1 - p))

    base, values = np.zeros(len(X)), np.zeros(X.shape)
    for row, weight in zip(scorer.background[:, None], scorer.background_weights, strict=True):  # shap knows no weights
        explained = shap.explainers.Exact(log_odds, shap.maskers.Independent(row, max_samples=1))(X, silent=True)
        base, values = base + weight * explained.base_values, values + weight * explained.values
    return base, values


@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
@pytest.mark.parametrize("dataset", ["loans", "homes"])
def test_reasons_are_those_of_shap_on_unseen_rows_missing_values_and_the_whole_range(
    shap, make_model, dataset, model_name
):
    made = make_model(dataset, model_name)
    scorer = Scorer(made.data)
    drawn = range_rows(made.dataset.contract, 40, np.random.default_rng(5))
    X = np.concatenate([made.dataset.rows("test")[0][:60], drawn])
    assert np.isnan(X).any()
    base, values = by_shap(shap, scorer, X)
    explainer = Explainer(scorer)
    explained = [explainer.explain(row[None]) for row in X]
    assert np.abs([e.values for e in explained] - values).max() <= 1e-6
    assert np.abs([e.base for e in explained] - base).max() <= 1e-6


@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_sampled_reasons_are_those_of_shap_within_the_stated_error(shap, make_model, model_name, monkeypatch):
    monkeypatch.setattr(shapley, "MOST_EXACT", 6)  # the loans have seven features
    made = make_model("loans", model_name)
    scorer = Scorer(made.data)
    X = made.dataset.rows("test")[0][:40]
    _, values = by_shap(shap, scorer, X)
    explainer = Explainer(scorer)
    for row, expected in zip(X, values, strict=True):
        explanation = explainer.explain(row[None])
        assert np.abs(explanation.values - expected).max() <= 5 * explanation.error + 1e-9
