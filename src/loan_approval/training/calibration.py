"""Decides on the calibrate rows whether a sigmoid turns a model's scores into better probabilities."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from loan_approval.errors import FactoryError
from loan_approval.evaluation.metrics import log_losses
from loan_approval.training.folds import assign_folds

CHOICES = ("sigmoid", "none")  # of the calibration
AUTO = "auto"
CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class CalibrationComparison:
    """Mean log losses on the same rows; `gain` = raw - sigmoid with the standard error of that paired difference."""

    chosen: str
    rows: int
    raw_log_loss: float
    sigmoid_log_loss: float
    gain: float
    standard_error: float

    def __str__(self) -> str:
        helps = "helps" if self.chosen == "sigmoid" else "does not help"
        return (
            f"a sigmoid {helps}: log loss {self.raw_log_loss:.4f} without it, {self.sigmoid_log_loss:.4f} with it, on "
            f"{self.rows:,} rows; to gain more than the standard error, {self.standard_error:.4f}, is required"
        )


def check_calibration(choice: str) -> None:
    """Raise FactoryError for anything but a calibration that can be exported."""
    if choice not in CHOICES:
        raise FactoryError(f"calibration is {choice!r}, expected {' or '.join(CHOICES)}")


def fit_sigmoid(model: BaseEstimator, X: np.ndarray, y: np.ndarray) -> CalibratedClassifierCV:
    """Return a sigmoid fitted on (n, k) preprocessed rows over a fitted model, which does not change.

    Source: Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    calibrator = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid", ensemble=False).fit(X, y)
    # skl2onnx can't convert the frozen wrapper, which only the fit needed.
    calibrator.estimator = model
    for calibrated in calibrator.calibrated_classifiers_:
        calibrated.estimator = model
    return calibrator


def compare_calibrations(
    model: BaseEstimator, X: np.ndarray, y: np.ndarray, seed: int, groups: np.ndarray | None = None
) -> CalibrationComparison:
    """Return the better calibration for a fitted model, on (n, k) preprocessed rows it was not fitted on.

    Each row's log loss under a sigmoid fitted on the other folds is compared with its log loss under the model's own
    probability. The sigmoid is taken when it gains more than one standard error of the paired difference, and always
    when the model's own probability was 0 or 1 and wrong, as its log loss is then infinite.
    groups: (n,) the number of the unit that each row is, None where each row is one: the rows of a unit share a fold,
    and count once in the standard error.
    Source: the one-standard-error rule, Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3.
    """
    groups = np.arange(len(y)) if groups is None else groups
    calibrated, fold = np.empty(len(y)), assign_folds(y, groups, CALIBRATION_FOLDS, seed)
    for held_out in (fold == number for number in range(CALIBRATION_FOLDS)):
        calibrated[held_out] = fit_sigmoid(model, X[~held_out], y[~held_out]).predict_proba(X[held_out])[:, 1]
    own = model.predict_proba(X)[:, 1].astype(np.float64)
    certain_and_wrong = bool(np.any(own == 1 - y))
    raw, sigmoid = log_losses(y, own), log_losses(y, calibrated)
    gain = float(np.mean(raw - sigmoid))
    sums = np.bincount(groups, raw - sigmoid - gain)
    standard_error = float(np.sqrt(np.sum(sums**2) * len(sums) / (len(sums) - 1)) / len(y))
    chosen = "sigmoid" if certain_and_wrong or gain > standard_error else "none"
    return CalibrationComparison(chosen, len(y), float(np.mean(raw)), float(np.mean(sigmoid)), gain, standard_error)
