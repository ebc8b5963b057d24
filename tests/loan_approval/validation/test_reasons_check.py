import warnings
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from loan_approval.training.factories import factory_names
from loan_approval.training.factory import ModelFactory
from loan_approval.validation.parity import range_rows
from loan_approval.validation.reasons_check import check_reasons, reasons_gate
from serve.model import shapley
from serve.model.scorer import Scorer
from serve.model.shapley import CLIP, Explainer


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


@pytest.mark.parametrize(
    ("change", "words"),
    [({"threshold": 5.0}, "a decline may lack a reason"), ({"largest_gap": 2e-6}, "by at most 2.0e-06")],
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

    masker = shap.maskers.Independent(scorer.background, max_samples=len(scorer.background))
    explained = shap.explainers.Exact(log_odds, masker)(X, silent=True)
    return explained.base_values, explained.values


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
