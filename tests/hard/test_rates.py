"""How often the signal gate lets noise pass, and parity on many rows; minutes long."""

from dataclasses import replace

import numpy as np
import pytest

from loan_approval import parity
from loan_approval.calibration import CHOICES
from loan_approval.datasets import Dataset, load_dataset
from loan_approval.export import export
from loan_approval.factories import factory_names
from loan_approval.gates import confirmation_gate, signal_gate
from loan_approval.model_factory import ModelFactory
from loan_approval.preprocessing_factory import PreprocessorFactory
from loan_approval.threshold import choose_threshold
from loan_approval.training import Recipe, fit, out_of_fold, score

pytestmark = pytest.mark.hard
NOISE_SETS, MOST_PASSED = 60, 1


@pytest.fixture(scope="module")
def loans() -> Dataset:
    return load_dataset("loans")


def sample(dataset: Dataset, rows: int, seed: int) -> Dataset:
    """Return some rows with labels drawn by coins."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(dataset.y))[:rows]
    y = rng.permutation(dataset.y[chosen])
    return replace(dataset, X=dataset.X[chosen], y=y, roles=dataset.roles[chosen])


@pytest.mark.parametrize("model_name", ["logistic_regression", "hist_gradient_boosting", "xgboost"])
def test_noise_hardly_ever_passes_both_gates_of_signal(loans: Dataset, model_name: str) -> None:
    recipe = Recipe(model_name, "median_imputer_with_scaler", 7)
    passed = 0
    for seed in range(NOISE_SETS):
        noise = sample(loans, 500 + 40 * seed, seed)
        y, p, _ = out_of_fold(recipe, noise)
        X, y_test = noise.rows("test")
        gates = [signal_gate(y, p, seed), confirmation_gate(y_test, score(fit(recipe, noise), X), seed)]
        passed += all(gate.passed for gate in gates)
    print(f"{model_name}: {passed} of {NOISE_SETS} noise data sets passed")
    assert passed <= MOST_PASSED


@pytest.mark.parametrize("calibration", CHOICES)
@pytest.mark.parametrize("preprocessor_name", factory_names(PreprocessorFactory))
@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_no_decision_differs_on_two_hundred_thousand_rows(
    loans: Dataset, model_name: str, preprocessor_name: str, calibration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "RANGE_ROWS", 200_000)
    monkeypatch.setattr(parity, "THRESHOLD_ROWS", 200_000)
    recipe = Recipe(model_name, preprocessor_name, 11, calibration=calibration)
    pipeline = fit(recipe, loans)
    X, y = loans.rows("calibrate")
    threshold = choose_threshold(y, score(pipeline, X), score(pipeline, loans.X), 1.0, 1.0)
    report = parity.prove_parity(
        export(pipeline, recipe, loans.contract, {"threshold": threshold}, {}), pipeline, loans.X
    )
    print(f"{model_name}, {preprocessor_name}, calibration {calibration}: {report}")
    assert report.differing == 0
