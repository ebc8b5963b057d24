import numpy as np
import pytest

from loan_approval.factories import factory_names, find_factory
from loan_approval.preprocessing_factory import PreprocessorFactory, output_directions, output_names

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


def test_a_value_that_no_training_row_has_keeps_its_column(homes_contract):
    preprocessor = fitted("median_imputer", homes_contract, [[0, 10, 1], [0, 20, 2]])
    np.testing.assert_array_equal(preprocessor.transform([[2, 15, 1]])[:, 2:], [[0, 0, 1, 0]])


def test_the_scaler_gives_mean_zero_and_variance_one(loans):
    scaled = fitted("median_imputer_with_scaler", loans.contract, loans.X).transform(loans.X)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


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
