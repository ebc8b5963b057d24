"""How often noise and weak signal pass, by each factory, and parity on many rows; minutes long."""

import pytest

from loan_approval.data.datasets import Dataset, load_dataset
from loan_approval.evaluation.costs import Costs
from loan_approval.training.background import make_background
from loan_approval.training.calibration import CHOICES
from loan_approval.training.export import export
from loan_approval.training.factory import ModelFactory, PreprocessorFactory, factory_names
from loan_approval.training.fit import Recipe, fit, score
from loan_approval.training.threshold import choose_threshold
from loan_approval.validation import parity
from tests.benchmarks.gates import KINDS, judge_sets
from tests.simulated_signal import LEAST_WEAK, MOST_NOISE, MOST_SIGNAL_ALONE, SETS

pytestmark = pytest.mark.hard


@pytest.fixture(scope="module")
def loans() -> Dataset:
    return load_dataset("loans")


@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_noise_hardly_ever_passes_and_weak_signal_nearly_always(model_name: str) -> None:
    outcomes = {kind: judge_sets(model_name, kind, SETS) for kind in KINDS}
    assert sum(outcome.passed for outcome in outcomes.pop("weak")) >= LEAST_WEAK
    for found in outcomes.values():
        assert sum(outcome.passed for outcome in found) <= MOST_NOISE
        assert sum(outcome.signal for outcome in found) <= MOST_SIGNAL_ALONE


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
    chosen = choose_threshold(y, score(pipeline, X), score(pipeline, loans.X), Costs(1.0, 1.0))
    threshold = chosen.threshold.value
    background = make_background(loans, pipeline, threshold)
    data = export(pipeline, recipe, loans.contract, {"threshold": threshold}, {}, background)
    report = parity.prove_parity(data, pipeline, loans.X)
    print(f"{model_name}, {preprocessor_name}, calibration {calibration}: {report}")
    assert report.differing == 0
