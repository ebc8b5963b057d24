import gc
import sys
import textwrap

import numpy as np
import pytest

from loan_approval.errors import FactoryError
from loan_approval.training import factories
from loan_approval.training.factories import factory_names, find_factory
from loan_approval.training.factory import ModelFactory, PreprocessorFactory
from loan_approval.training.fit import Recipe
from serve.api.app import create_app
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store

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
