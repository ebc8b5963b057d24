"""Metrics of probabilities and decisions, with intervals, and the errors by slice. `groups`: as in `intervals`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import rankdata
from sklearn import metrics as sklearn_metrics

from loan_approval.evaluation.auc import ERROR, auc_interval
from loan_approval.evaluation.intervals import Interval, delta_interval, effective_rows, mean_interval
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.contract.numbers import EXACT

MISSING_BAND = "(missing)"
# What a reader calls a measure, by its name in MLflow and in the metadata.
MEASURES = {
    "roc_auc": "AUC",
    "cv_roc_auc": "AUC, cross-validated",
    "pr_auc": "average precision",
    "f1": "F1",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "calibrate_log_loss_raw": "log loss, calibrate rows, without a sigmoid",
    "calibrate_log_loss_sigmoid": "log loss, calibrate rows, with a sigmoid",
    "cost": "expected cost",
    "share_referred": "share referred to a person",
}


def name_measures(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by what a reader calls their measures."""
    return {MEASURES.get(name, name.replace("_", " ")): value for name, value in values.items()}


def evaluate(y: np.ndarray, p: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    """Return the metrics of (n,) labels, probabilities and decided codes."""
    return {
        "accuracy": float(sklearn_metrics.accuracy_score(y, decided)),
        "f1": float(sklearn_metrics.f1_score(y, decided, zero_division=0.0)),
        "roc_auc": float(sklearn_metrics.roc_auc_score(y, p)),
        "pr_auc": float(sklearn_metrics.average_precision_score(y, p)),
        "log_loss": float(np.mean(log_losses(y, p))),
        "brier": float(sklearn_metrics.brier_score_loss(y, p)),
        "approval_rate": float(np.mean(decided)),
    }


def comparable(metrics: Mapping[str, float], calibration: str) -> dict[str, float]:
    """Return the metrics that runs are compared by before one is chosen: no test row has a part in them.

    metrics: `cv_…` and `calibrate_…`, which stay, and those measured on the calibrate rows, which get the prefix.
    The log loss is the cross-fitted one of the calibration taken, for the sigmoid was fitted on the calibrate rows.
    """
    prefixes, own = ("cv_", "calibrate_"), "sigmoid" if calibration == "sigmoid" else "raw"
    compared = {name if name.startswith(prefixes) else f"calibrate_{name}": v for name, v in metrics.items()}
    return compared | {"calibrate_log_loss": metrics[f"calibrate_log_loss_{own}"]}


def fast_auc(y: np.ndarray, p: np.ndarray) -> float:
    """Return the area under the ROC curve; NaN when y holds a single class. Source: Mann and Whitney, 1947."""
    positives = int(np.sum(y))
    negatives = len(y) - positives
    if not (positives and negatives):
        return float("nan")
    return float((np.sum(rankdata(p)[y == 1]) - positives * (positives + 1) / 2) / (positives * negatives))


def metric_intervals(
    y: np.ndarray, p: np.ndarray, decided: np.ndarray, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """Return each metric of `evaluate` with its 95 % interval, as a JSON document: {metric: {value, low, high}}.

    y, p, decided: (n,), y of both labels.   The AUC's is `auc_interval`, those of shares are Wilson's, all others are
    on a scale without an end (log-odds, the log of a log loss), by how much each row moves the metric. F1 and average
    precision are no more certain than shares of 1 and of 0 of the rows that count in them, by the exact bounds.
    Simulated coverage: `make bench-intervals`. Sources: Efron, "Nonparametric estimates of standard error: the
    jackknife, the bootstrap and other methods", 1981; on the scale, for average precision: Boyd, Eng and Page, "Area
    under the precision-recall curve: point estimates and confidence intervals", 2013.
    """
    values, both = evaluate(y, p, decided), y + decided
    f1 = (2 * y * decided - values["f1"] * both) / max(np.mean(both), 1 / len(y))
    of_row = np.arange(len(y)) if groups is None else groups
    least = np.array([ERROR ** (1 / effective_rows(of_row[counted])) for counted in (both > 0, y == 1)])
    ends = np.array([least, 1 - least])  # of shares of 1 and of 0; F1 is 2 x / (1 + x) of a share x
    intervals = {
        "accuracy": mean_interval((decided == y).astype(float), (1.0,), groups),
        "f1": delta_interval(values["f1"], f1, groups, *2 * ends[:, 0] / (1 + ends[:, 0])),
        "roc_auc": auc_interval(y, p, groups),
        "pr_auc": delta_interval(values["pr_auc"], _moves_of_precision(y, p, values["pr_auc"]), groups, *ends[:, 1]),
        "log_loss": delta_interval(values["log_loss"], log_losses(y, p), groups, is_share=False),
        "brier": brier_interval(y, p, groups),
        "approval_rate": mean_interval(np.asarray(decided, dtype=float), (1.0,), groups),
    }
    return {name: asdict(interval) for name, interval in intervals.items()}


def brier_interval(y: np.ndarray, p: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """Return the Brier score of (n,) labels and probabilities with its 95 % interval."""
    losses = (p - y) ** 2
    return delta_interval(float(np.mean(losses)), losses, groups)


def _moves_of_precision(y: np.ndarray, p: np.ndarray, value: float) -> np.ndarray:
    """Return by how much each of the (n,) rows moves the average precision: its derivative by the row's weight."""
    scores, score_of = np.unique(-p, return_inverse=True)  # the highest first
    ones, rows = np.bincount(score_of, y, len(scores)), np.cumsum(np.bincount(score_of))
    found = np.cumsum(ones)
    # A row lies among those that count in the precision at its own score and at all lower ones.
    below = [np.cumsum((ones * each)[::-1])[::-1] for each in (1 / rows, found / rows**2)]
    own = y * ((found / rows)[score_of] - value)
    return (own + y * below[0][score_of] - below[1][score_of]) * len(y) / found[-1]


def log_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the (n,) log losses of the rows; a probability of 0 counts as 1e-15."""
    return -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-15, None))


def slice_errors(
    contract: Contract, frame: pd.DataFrame, y: np.ndarray, p: np.ndarray, decided: np.ndarray, bands: int = 5
) -> pd.DataFrame:
    """Return error rates and log loss by feature band, in the contract's words, the highest error rate first.

    frame: (n, k) columns of the contract.   Numbers are cut at their quantiles into `bands`; missing is a band of its
    own.
    """
    loss = log_losses(y, p)
    rows = [
        {
            "feature": feature.name,
            "band": band,
            "rows": int(chosen.sum()),
            "error_rate": float((decided != y)[chosen].mean()),
            "false_approvals": int(np.sum((decided > y)[chosen])),
            "false_denials": int(np.sum((decided < y)[chosen])),
            "log_loss": float(loss[chosen].mean()),
        }
        for feature in contract.features
        for band, chosen in quantile_bands(frame[feature.name], bands, feature).items()
    ]
    order = ["error_rate", "rows"]
    return pd.DataFrame(rows).sort_values(order, ascending=False, kind="stable", ignore_index=True)


def quantile_bands(column: pd.Series, bands: int, feature: Feature) -> Mapping[str, np.ndarray]:
    """Return the (n,) bool rows of each band: a value where there are few, else a quantile range; missing is one."""
    missing = column.isna()
    if not is_numeric_dtype(column):
        names = column.map(feature.show, na_action="ignore").astype(object)
    else:
        low = high = column
        if column.nunique() > bands and not column.dropna().isin(list(feature.meanings)).all():
            # By the values that are there: a person reads "18 to 25", not "(17.999, 25.25]".
            within = column.groupby(pd.qcut(column, bands, duplicates="drop"), observed=True)
            low, high = within.transform("min"), within.transform("max")
        names = _name_bands(low, high, feature.show)
        if names.nunique() < low.nunique():  # rounded, two bands would be one
            names = _name_bands(low, high, partial(feature.show, digits=EXACT))
    names = names.map(name_band, na_action="ignore").mask(missing, MISSING_BAND)
    return {str(name): (names == name).to_numpy() for name in dict.fromkeys(names)}


def name_band(value: str) -> str:
    """Return the band of a value; one whose own text is that of missing values is in quotes, apart from these."""
    return f'"{value}"' if value == MISSING_BAND else value


def _name_bands(low: pd.Series, high: pd.Series, write: Callable[[float], str]) -> pd.Series:
    low_text, high_text = (end.map(write, na_action="ignore").astype(object) for end in (low, high))
    return low_text + (" to " + high_text).mask(low == high, "")


def worst_decisions(y: np.ndarray, p: np.ndarray, decided: np.ndarray, wrong: int, most: int = 10) -> np.ndarray:
    """Return the row numbers of the most confident wrong decisions: wrong=1 false approvals, wrong=0 false denials."""
    chosen = np.flatnonzero((decided == wrong) & (y != wrong))
    order = np.argsort(-p[chosen] if wrong else p[chosen], kind="stable")
    return chosen[order][:most]
