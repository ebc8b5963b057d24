"""The server's reasons beside those of `shap`, which is in the development environment only."""

import warnings
from types import ModuleType

import numpy as np
import pytest

from loan_approval.training.factories import factory_names
from loan_approval.training.factory import ModelFactory
from loan_approval.validation.parity import range_rows
from serve.model import shapley
from serve.model.scorer import Scorer
from serve.model.shapley import CLIP, Explainer


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
    ours = [explainer.explain(row[None]) for row in X]
    assert np.abs([e.values for e in ours] - values).max() <= 1e-6
    assert np.abs([e.base for e in ours] - base).max() <= 1e-6


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
