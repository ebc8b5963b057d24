"""Logistic regression: the baseline whose every weight can be read."""

from collections.abc import Sequence

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression as Estimator

from loan_approval.training.factory import ModelFactory


class LogisticRegression(ModelFactory):
    """L2-regularised logistic regression."""

    name = "logistic_regression"
    keeps_directions = False

    def make_estimator(self, directions: Sequence[int], seed: int) -> BaseEstimator:
        """Return the estimator."""
        return Estimator(C=1.0, max_iter=10_000, random_state=seed)
