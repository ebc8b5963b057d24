import numpy as np

from loan_approval.training.factories.medians import MedianImputer, MedianImputerWithScaler


def test_a_missing_number_becomes_the_training_median(homes_contract):
    preprocessor = MedianImputer().make(homes_contract).fit(np.array([[0.0, 10, 1], [0, 20, 2], [0, 90, 2]]))
    assert preprocessor.transform([[0, np.nan, np.nan]])[0, :2].tolist() == [20, 2]


def test_a_value_that_no_training_row_has_keeps_its_column(homes_contract):
    preprocessor = MedianImputer().make(homes_contract).fit(np.array([[0.0, 10, 1], [0, 20, 2]]))
    np.testing.assert_array_equal(preprocessor.transform([[2, 15, 1]])[:, 2:], [[0, 0, 1, 0]])


def test_the_scaler_gives_mean_zero_and_variance_one(loans):
    scaled = MedianImputerWithScaler().make(loans.contract).fit(loans.X).transform(loans.X)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
