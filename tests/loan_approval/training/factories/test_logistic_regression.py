import numpy as np

from loan_approval.training.factories.logistic_regression import LogisticRegression


def test_its_weights_can_be_read():
    x = np.linspace(-1, 1, 100).reshape(-1, 1)
    estimator = LogisticRegression().make([1], 7, {"C": 10.0}).fit(x, (x[:, 0] > 0).astype(int))
    assert estimator.coef_.shape == (1, 1)
    assert estimator.coef_[0, 0] > 1
