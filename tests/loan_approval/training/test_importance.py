import numpy as np
import pytest

from loan_approval.training.factory import output_names
from loan_approval.training.importance import measure_importance


def measured(make_model, dataset, model_name, calibration="sigmoid"):
    made = make_model(dataset, model_name, calibration=calibration)
    return measure_importance(made.pipeline, made.dataset.contract, *made.dataset.rows("test"), "test", seed=7)


def test_a_linear_models_importance_is_its_coefficients(make_model):
    words, importance = measured(make_model, "homes", "logistic_regression")
    assert words.startswith("Coefficients")
    assert importance["amount"] < 0 < importance["home=own"]


@pytest.mark.parametrize("model_name", ["logistic_regression", "random_forest"])
def test_a_models_own_importance_is_found_without_a_calibrator_too(make_model, model_name):
    words, importance = measured(make_model, "homes", model_name, "none")
    with_calibrator = measured(make_model, "homes", model_name)
    assert words == with_calibrator[0]
    np.testing.assert_array_equal(importance, with_calibrator[1])


@pytest.mark.parametrize("model_name", ["random_forest", "xgboost"])
def test_a_forests_importance_is_its_own_on_preprocessed_columns(make_model, model_name):
    words, importance = measured(make_model, "homes", model_name)
    assert words.startswith("The model's own importance")
    assert list(importance.index) == output_names(make_model("homes", model_name).dataset.contract)
    assert importance.sum() == pytest.approx(1)


def test_a_model_without_its_own_is_measured_by_permuting_features(make_model):
    title, importance = measured(make_model, "loans", "hist_gradient_boosting")
    assert title == "Drop in AUC when permuted, test rows"
    assert importance.idxmax() in ("Credit_Score", "Loan_Amount")
    assert importance["Credit_Score"] > 0.02


def test_a_seed_fixes_the_permutations(make_model):
    one, other = (measured(make_model, "loans", "hist_gradient_boosting")[1] for _ in range(2))
    np.testing.assert_array_equal(one, other)
