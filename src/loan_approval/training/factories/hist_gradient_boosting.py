"""Histogram gradient boosting, held to the contract's directions."""

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier

from loan_approval.training.factory import ModelFactory


class HistGradientBoosting(ModelFactory):
    """150 small trees, each correcting those before it."""

    name = "hist_gradient_boosting"
    learns_on_float32 = True
    trusted_types = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)

    def make_estimator(self, directions: Sequence[int], seed: int) -> BaseEstimator:
        """Return the estimator. No early stopping: it would hold rows back by the seed."""
        return HistGradientBoostingClassifier(
            max_iter=150,
            learning_rate=0.1,
            # Five leaves rank alike on much data, are better calibrated on little, and are explained sooner than 15.
            max_leaf_nodes=5,
            l2_regularization=1.0,
            early_stopping=False,
            monotonic_cst=list(directions),
            random_state=seed,
        )

    def align_with_graph(self, estimator: BaseEstimator) -> None:
        """Round thresholds down to float32: for a float32 x, x <= t holds exactly when x <= the rounded t.

        The graph keeps float32 thresholds rounded to nearest, which lets some x pass that scikit-learn stops.
        """
        for (tree,) in estimator._predictors:
            exact = tree.nodes["num_threshold"]
            rounded = exact.astype(np.float32)
            down = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
            tree.nodes["num_threshold"] = down
