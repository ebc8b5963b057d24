import numpy as np
import pytest

from loan_approval.errors import FactoryError
from loan_approval.training.factories import factory_names, find_factory
from loan_approval.training.factory import ModelFactory, PreprocessorFactory, output_directions, output_names

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
