from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.inspection import permutation_importance

from loan_approval.data.shape import FEWEST_PER_LABEL
from loan_approval.errors import DataError, FactoryError
from loan_approval.training import fit as fit_module
from loan_approval.training.factory import output_names
from loan_approval.training.fit import (
    PERMUTATIONS,
    Recipe,
    check_fit,
    choose_calibration,
    fit,
    measure_importance,
    score,
)

LOGISTIC = Recipe("logistic_regression", "median_imputer_with_scaler", seed=7)
BOOSTING = Recipe("hist_gradient_boosting", "median_imputer", seed=7, parameters={"max_iter": 20})


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING])
def test_fitting_twice_gives_the_same_probabilities(loans, recipe):
    np.testing.assert_array_equal(score(fit(recipe, loans), loans.X), score(fit(recipe, loans), loans.X))


def test_the_calibrator_is_the_last_step(loans):
    last = fit(LOGISTIC, loans)[-1]
    assert isinstance(last, CalibratedClassifierCV)
    assert (last.method, len(last.calibrated_classifiers_)) == ("sigmoid", 1)


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING])
def test_without_calibration_the_model_is_the_last_step_and_calibrate_rows_change_nothing(loans, recipe):
    recipe = replace(recipe, calibration="none")
    own, changed = fit(recipe, loans), fit(recipe, with_changed(loans, "calibrate"))
    assert not isinstance(own[-1], CalibratedClassifierCV)
    np.testing.assert_array_equal(score(own, loans.X), score(changed, loans.X))


@pytest.mark.parametrize("calibration", ["auto", "isotonic", ""])
def test_a_recipe_has_sigmoid_or_none(loans, calibration):
    with pytest.raises(FactoryError, match=f"calibration is '{calibration}', expected sigmoid or none"):
        fit(replace(LOGISTIC, calibration=calibration), loans)


def test_an_old_recipe_without_a_calibration_has_a_sigmoid():
    old = {"model_name": "logistic_regression", "preprocessor_name": "median_imputer", "seed": 7, "parameters": {}}
    assert Recipe(**old).calibration == "sigmoid"


@pytest.mark.parametrize("calibration", ["sigmoid", "none"])
def test_a_calibration_that_is_asked_for_is_taken(loans, calibration):
    recipe, _ = choose_calibration(LOGISTIC, loans, calibration)
    assert recipe == replace(LOGISTIC, calibration=calibration)


def test_auto_takes_the_better_calibration_whatever_the_test_rows_are(loans):
    recipe, compared = choose_calibration(BOOSTING, loans, "auto")
    assert recipe == replace(BOOSTING, calibration=compared.chosen)
    assert choose_calibration(BOOSTING, with_changed(loans, "test"), "auto") == (recipe, compared)
    assert compared.rows == np.sum(loans.splits == "calibrate")


def test_a_calibration_that_does_not_exist_is_refused_before_anything_is_fitted(loans):
    with pytest.raises(FactoryError, match="calibration is 'isotonic'"):
        choose_calibration(LOGISTIC, loans, "isotonic")


def test_trees_learn_on_float32_and_others_do_not(loans_contract):
    assert list(BOOSTING.make_pipeline(loans_contract).named_steps) == ["preprocess", "cast", "model"]
    assert list(LOGISTIC.make_pipeline(loans_contract).named_steps) == ["preprocess", "model"]


def with_changed(dataset, split):
    """Return the data set with other labels and values in one split, the splits kept."""
    chosen = dataset.splits == split
    X, y = dataset.X.copy(), dataset.y.copy()
    X[chosen], y[chosen] = X[chosen][::-1] + 1, 1 - y[chosen]
    return replace(dataset, X=X, y=y)


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING])
def test_test_rows_change_nothing_in_the_model(loans, recipe):
    changed = fit(recipe, with_changed(loans, "test"))
    np.testing.assert_array_equal(score(changed, loans.X), score(fit(recipe, loans), loans.X))


def test_calibrate_rows_change_the_calibration_but_not_the_ranking_model(loans):
    own, changed = fit(LOGISTIC, loans), fit(LOGISTIC, with_changed(loans, "calibrate"))
    np.testing.assert_array_equal(own[-1].estimator.coef_, changed[-1].estimator.coef_)
    assert np.any(score(own, loans.X) != score(changed, loans.X))


@pytest.mark.parametrize("split", ["train", "calibrate", "test"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_split_needs_rows_of_either_label(loans, split, code):
    y = np.where(loans.splits == split, 1 - code, loans.y)
    label = loans.contract.label(code)
    with pytest.raises(DataError, match=f"loans: 0 distinct rows of split {split} are '{label}', expected at least 10"):
        fit(LOGISTIC, replace(loans, y=y))


def test_as_few_rows_of_a_label_as_allowed_are_enough(loans):
    y = np.zeros_like(loans.y)
    for split in ("train", "calibrate", "test"):
        y[np.flatnonzero(loans.splits == split)[:FEWEST_PER_LABEL]] = 1
    check_fit(LOGISTIC, replace(loans, y=y))


@pytest.mark.parametrize("change", [{"model_name": "none"}, {"preprocessor_name": "none"}, {"parameters": {"no": 1}}])
def test_an_unusable_recipe_is_refused(loans, change):
    with pytest.raises(FactoryError):
        fit(replace(LOGISTIC, **change), loans)


def with_other_labels(dataset, split):
    """Return the data set with every label of one split turned round."""
    return replace(dataset, y=np.where(dataset.splits == split, 1 - dataset.y, dataset.y))


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING], ids=lambda recipe: recipe.model_name)
def test_labels_of_test_rows_change_neither_pipeline_nor_calibration_nor_threshold(loans, export_fitted, recipe):
    made, changed = export_fitted(recipe, loans), export_fitted(recipe, with_other_labels(loans, "test"))
    assert changed.decision == made.decision
    assert changed.data == made.data  # graph, calibration, decision rule, golden scores


@pytest.mark.parametrize("split", ["train", "calibrate"])
def test_labels_of_the_other_rows_do_change_the_file(loans, export_fitted, split):
    assert export_fitted(LOGISTIC, with_other_labels(loans, split)).data != export_fitted(LOGISTIC, loans).data


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


@pytest.mark.parametrize("dataset", ["homes", "loans"])
def test_permuted_importance_is_that_of_scikit_learn(make_model, dataset):
    made = make_model(dataset, "hist_gradient_boosting")
    X, y = made.dataset.rows("test")
    options = {"scoring": "roc_auc", "n_repeats": PERMUTATIONS, "random_state": 7}
    expected = permutation_importance(made.pipeline, X, y, **options).importances_mean
    _, importance = measure_importance(made.pipeline, made.dataset.contract, X, y, "test", seed=7)
    np.testing.assert_allclose(importance, expected, rtol=0, atol=1e-12)


def test_permuting_features_preprocesses_the_rows_once(make_model, monkeypatch):
    made, calls = make_model("loans", "hist_gradient_boosting"), []
    transform = ColumnTransformer.transform
    monkeypatch.setattr(ColumnTransformer, "transform", lambda self, X: calls.append(len(X)) or transform(self, X))
    X, y = made.dataset.rows("test")
    measure_importance(made.pipeline, made.dataset.contract, X, y, "test", seed=7)
    assert calls == [len(X)]


def test_of_many_rows_some_are_permuted_evenly_spaced_and_the_title_says_how_many(make_model):
    made = make_model("loans", "hist_gradient_boosting")
    X, y = (np.repeat(part, 20, axis=0) for part in made.dataset.rows("test"))
    by_label = np.argsort(y, kind="stable")  # the first 4,000 rows alone are of one label
    title, importance = measure_importance(
        made.pipeline, made.dataset.contract, X[by_label], y[by_label], "test", seed=7
    )
    assert title == f"Drop in AUC when permuted, 4,000 of {len(y):,} test rows"
    assert importance["Credit_Score"] > 0.02


def test_many_features_are_permuted_over_fewer_rows(make_model, monkeypatch):
    monkeypatch.setattr(fit_module, "PERMUTED_CELLS", 7 * 100)
    title, _ = measured(make_model, "loans", "hist_gradient_boosting")
    assert title == "Drop in AUC when permuted, 100 of 314 test rows"
