import gc
import sys
import textwrap

import numpy as np
import pytest

from loan_approval.errors import FactoryError
from loan_approval.training import factories
from loan_approval.training.factory import (
    ModelFactory,
    PreprocessorFactory,
    factory_names,
    find_factory,
    output_columns,
    output_directions,
    output_names,
)
from loan_approval.training.fit import Recipe
from serve.api.app import create_app
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store

MODELS = factory_names(ModelFactory)


def make(name, directions=(0, 0), seed=7, **parameters):
    return find_factory(ModelFactory, name).make(directions, seed, parameters)


@pytest.mark.parametrize("name", MODELS)
def test_a_parameter_it_does_not_take_is_named_with_those_it_takes(name):
    with pytest.raises(FactoryError, match=rf"{name} takes no max_itre, sea, expected some of .*random_state"):
        make(name, sea=1, max_itre=2)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("logistic_regression", {"C": 0.1}),
        ("hist_gradient_boosting", {"max_iter": 7}),
        ("random_forest", {"n_estimators": 7}),
        ("xgboost", {"n_estimators": 7}),
    ],
)
def test_a_parameter_it_takes_replaces_the_default(name, parameter):
    assert make(name, **parameter).get_params().items() >= parameter.items()


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_reaches_the_estimator(name):
    assert make(name, seed=123).get_params()["random_state"] == 123


@pytest.mark.parametrize("name", [name for name in MODELS if name != "logistic_regression"])
@pytest.mark.parametrize("direction", [1, -1])
def test_trees_keep_their_direction_against_the_data(name, direction):
    x = np.linspace(-1, 1, 200).reshape(-1, 1)
    y = (x[:, 0] * -direction + np.sin(20 * x[:, 0]) > 0).astype(int)
    size = "max_iter" if name == "hist_gradient_boosting" else "n_estimators"
    estimator = make(name, directions=[direction], **{size: 5}).fit(x, y)
    p = estimator.predict_proba(x)[:, 1]
    assert np.all(direction * np.diff(p) >= -1e-7)


NAN = np.nan


def fitted(name, contract, X):
    return find_factory(PreprocessorFactory, name).make(contract).fit(np.array(X, dtype=float))


def test_each_features_columns_are_those_that_change_with_it(homes_contract):
    rows = np.array([[0, 10, 1], [1, 20, 2], [2, 30, 3]], dtype=float)
    preprocessor = fitted("median_imputer", homes_contract, rows)
    for feature, columns in enumerate(output_columns(homes_contract)):
        changed = rows.copy()
        changed[0, feature] = rows[1, feature]
        differs = np.any(preprocessor.transform(changed) != preprocessor.transform(rows), axis=0)
        assert np.all(np.isin(np.flatnonzero(differs), np.r_[columns]))
    assert sorted(np.concatenate([np.r_[columns] for columns in output_columns(homes_contract)])) == [*range(6)]


# Columns of the rows: home (own, rent, other), amount, children.
def test_numbers_come_first_then_a_category_one_hot_over_its_values_and_missing(homes_contract):
    rows = [[0, 10, 1], [1, 20, NAN], [NAN, 30, 3]]
    assert output_names(homes_contract) == [
        *("amount", "children", "home=own", "home=rent", "home=other", "home=missing")
    ]
    np.testing.assert_array_equal(
        fitted("median_imputer", homes_contract, rows).transform(rows),
        [[10, 1, 1, 0, 0, 0], [20, 2, 0, 1, 0, 0], [30, 3, 0, 0, 0, 1]],
    )


@pytest.mark.parametrize("name", factory_names(PreprocessorFactory))
def test_a_column_that_is_all_missing_survives(homes_contract, name):
    rows = [[NAN, 10, NAN], [NAN, 20, NAN]]
    out = fitted(name, homes_contract, rows).transform(rows)
    assert out.shape == (2, len(output_names(homes_contract)))
    assert np.all(np.isfinite(out))


@pytest.mark.parametrize("name", factory_names(PreprocessorFactory))
def test_what_comes_out_has_a_name_and_a_direction_for_each_column(homes, name):
    width = fitted(name, homes.contract, homes.X).transform(homes.X).shape[1]
    assert len(output_names(homes.contract)) == len(output_directions(homes.contract)) == width


def test_directions_follow_the_numbers_and_categories_have_none(homes_contract):
    assert output_directions(homes_contract) == [-1, 0, 0, 0, 0, 0]


NEW_MODEL = """
    from sklearn.neural_network import MLPClassifier

    from loan_approval.training.factory import ModelFactory


    class Perceptron(ModelFactory):
        name = "perceptron"

        def make_estimator(self, directions, seed):
            return MLPClassifier((4,), solver="lbfgs", max_iter=5000, tol=1e-2, random_state=seed)
"""
NEW_PREPROCESSOR = """
    from sklearn.impute import SimpleImputer

    from loan_approval.training.factory import PreprocessorFactory


    class Zero(PreprocessorFactory):
        name = "zero"

        def make_number_steps(self):
            return [("impute", SimpleImputer(strategy="constant", fill_value=0.0))]
"""


@pytest.fixture
def new_factory(tmp_path, monkeypatch):
    """Return a function that drops a file into a folder of factories; its module and classes are gone afterwards."""
    monkeypatch.setattr(factories, "__path__", [*factories.__path__, str(tmp_path)])
    names = []

    def drop(name, text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        names.append(name)

    yield drop
    for name in names:
        sys.modules.pop(f"loan_approval.training.factories.{name}", None)
        vars(factories).pop(name, None)
    gc.collect()  # a class without users is no subclass any more


def test_the_four_models_and_two_preprocessors_are_found():
    assert factory_names(ModelFactory) == [
        *("hist_gradient_boosting", "logistic_regression", "random_forest", "xgboost")
    ]
    assert factory_names(PreprocessorFactory) == ["median_imputer", "median_imputer_with_scaler"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (ModelFactory, "no model 'xgbost', expected one of hist_gradient_boosting, logistic_regression, random_"),
        (PreprocessorFactory, "no preprocessor 'xgbost', expected one of median_imputer, median_imputer_with_scaler"),
    ],
)
def test_an_unknown_name_is_answered_with_the_names_there_are(kind, message):
    with pytest.raises(FactoryError, match=message):
        find_factory(kind, "xgbost")


def test_a_factory_is_found_by_its_name():
    for kind in (ModelFactory, PreprocessorFactory):
        for name in factory_names(kind):
            assert find_factory(kind, name).name == name


def test_a_file_dropped_into_the_folder_is_trained_exported_and_served(new_factory, export_fitted, homes, tmp_path):
    new_factory("perceptron", NEW_MODEL)
    new_factory("zero", NEW_PREPROCESSOR)
    made = export_fitted(Recipe("perceptron", "zero", seed=7), homes)
    store = Store(tmp_path / "store")
    scorer = store.install(made.data, {})
    store.point(Pointer(scorer.sha256, "homes_model", "production", "1", "run-1", "passed"))
    client = create_app(Settings(store=store.path, model_name="homes_model", poll_seconds=3600)).test_client()
    answer = client.post("/api/v2/predict", json=homes.contract.example())
    assert (answer.status_code, set(answer.json)) == (200, {"prediction", "prediction_code"})
    np.testing.assert_allclose(scorer.score(homes.X), made.pipeline.predict_proba(homes.X)[:, 1], atol=1e-6)


def test_an_unfinished_class_is_no_factory(new_factory):
    new_factory("unfinished", NEW_MODEL.replace("make_estimator", "make_something").replace("perceptron", "half"))
    assert "half" not in factory_names(ModelFactory)
