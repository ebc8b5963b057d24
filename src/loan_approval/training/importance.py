"""How important each column is to a fitted pipeline."""

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from loan_approval.training.factory import output_names
from serve.contract.contract import Contract

REPEATS = 5
PERMUTED_ROWS = 4000


def measure_importance(
    pipeline: Pipeline, contract: Contract, X: np.ndarray, y: np.ndarray, split: str, seed: int
) -> tuple[str, pd.Series]:
    """Return a title and the importance of each column.

    The model's own where it has one (coefficients, or impurity decrease), else the drop in AUC when a feature's values
    are permuted over (n, F) rows of this split.
    """
    last = pipeline.named_steps["model"]
    model = last.estimator if isinstance(last, CalibratedClassifierCV) else last
    if hasattr(model, "coef_"):
        return "Coefficients, on preprocessed columns", pd.Series(model.coef_[0], output_names(contract))
    if hasattr(model, "feature_importances_"):
        own = pd.Series(model.feature_importances_, output_names(contract), dtype=float)
        return "The model's own importance, on preprocessed columns", own
    X, y = X[:PERMUTED_ROWS], y[:PERMUTED_ROWS]
    options = {"scoring": "roc_auc", "n_repeats": REPEATS, "random_state": seed, "n_jobs": 1}
    with threadpool_limits(1):
        drops = permutation_importance(pipeline, X, y, **options).importances_mean
    return f"Drop in AUC when permuted, {split} rows", pd.Series(drops, [feature.name for feature in contract.scored])
