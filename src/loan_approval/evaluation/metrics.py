"""Metrics of probabilities and decisions, with intervals, and the errors by slice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, rankdata
from sklearn import metrics as sklearn_metrics

BOOTSTRAP_DRAWS = 1000
MISSING_BAND = "(missing)"


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def evaluate(y: np.ndarray, p: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    """Return the metrics of (n,) labels, probabilities and decided codes."""
    return {
        "accuracy": float(sklearn_metrics.accuracy_score(y, decided)),
        "f1": float(sklearn_metrics.f1_score(y, decided, zero_division=0.0)),
        "roc_auc": float(sklearn_metrics.roc_auc_score(y, p)),
        "pr_auc": float(sklearn_metrics.average_precision_score(y, p)),
        "log_loss": float(sklearn_metrics.log_loss(y, p)),
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


def bootstrap(statistic: Callable[[np.ndarray], float], rows: int, seed: int) -> Interval:
    """Return statistic(all row numbers) with the 95 % percentile interval over rows drawn with replacement.

    Draws in which the statistic is NaN (a single class) are left out. Source: Efron, "Bootstrap methods", 1979.
    """
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(0, rows, rows)) for _ in range(BOOTSTRAP_DRAWS)])
    low, high = np.nanquantile(drawn, [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return Interval(statistic(np.arange(rows)), float(low), float(high))


def bootstrap_mean(values: np.ndarray, seed: int) -> Interval:
    """Return the mean of (n,) values with its 95 % interval."""
    return bootstrap(lambda rows: float(np.mean(values[rows])), len(values), seed)


def auc_interval(y: np.ndarray, p: np.ndarray, seed: int) -> Interval:
    """Return the AUC with its 95 % interval."""
    return bootstrap(lambda rows: fast_auc(y[rows], p[rows]), len(y), seed)


def wilson_interval(count: int, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share; of no rows, 0 to 1. Source: Wilson, "Probable inference", 1927."""
    return tuple(map(float, binomtest(count, rows).proportion_ci(method="wilson"))) if rows else (0.0, 1.0)


def rank_p_value(y: np.ndarray, ranks: np.ndarray, seed: int, permutations: int = 2000) -> float:
    """Return the one-sided p-value of the sum of the positive rows' (n,) ranks under permuted labels.

    With ranks of probabilities, this is the p-value of their AUC. Nothing is refitted.
    Source: Phipson and Smyth, "Permutation P-values should never be zero", 2010.
    """
    rng, positives = np.random.default_rng(seed), int(np.sum(y))
    observed = np.sum(ranks[y == 1]) - 1e-9 * len(ranks)  # sums of equal ranks differ by their order
    as_good = sum(np.sum(rng.permutation(ranks)[:positives]) >= observed for _ in range(permutations))
    return (1 + int(as_good)) / (1 + permutations)


def metric_intervals(y: np.ndarray, p: np.ndarray, decided: np.ndarray, seed: int, draws: int = 300) -> dict[str, Any]:
    """Return each metric of `evaluate` with its 95 % interval, as a JSON document: {metric: {value, low, high}}.

    y, p, decided: (n,).   All metrics are taken of the same draws; those that hold a single label are left out.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, len(y), len(y)) for _ in range(draws)]
    values = [evaluate(y[rows], p[rows], decided[rows]) for rows in drawn if 0 < y[rows].sum() < len(rows)]
    intervals = {}
    for name, value in evaluate(y, p, decided).items():
        low, high = np.quantile([each[name] for each in values], [0.025, 0.975])
        intervals[name] = {"value": value, "low": float(low), "high": float(high)}
    return intervals


def log_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the (n,) log losses of the rows; a probability of 0 counts as 1e-15."""
    return -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-15, None))


def slice_errors(
    frame: pd.DataFrame, y: np.ndarray, p: np.ndarray, decided: np.ndarray, bands: int = 5
) -> pd.DataFrame:
    """Return error rates and log loss by feature band, the highest error rate first.

    frame: (n, k) features.   Numbers are cut at their quantiles into `bands`; missing is a band of its own.
    """
    loss = log_losses(y, p)
    rows = [
        {
            "feature": name,
            "band": band,
            "rows": int(chosen.sum()),
            "error_rate": float((decided != y)[chosen].mean()),
            "false_approvals": int(np.sum((decided > y)[chosen])),
            "false_denials": int(np.sum((decided < y)[chosen])),
            "log_loss": float(loss[chosen].mean()),
        }
        for name in frame.columns
        for band, chosen in quantile_bands(frame[name], bands).items()
    ]
    order = ["error_rate", "rows"]
    return pd.DataFrame(rows).sort_values(order, ascending=False, kind="stable", ignore_index=True)


def quantile_bands(column: pd.Series, bands: int) -> Mapping[str, np.ndarray]:
    """Return the (n,) bool rows of each band: a value where there are few, else a quantile range; missing is one."""
    missing = column.isna()
    if column.dtype == object or column.nunique() <= bands:
        names = column.astype(object).map(lambda value: f"{value:g}" if isinstance(value, float) else str(value))
    else:
        # By the values that are there: a person reads "18 to 25", not "(17.999, 25.25]".
        within = column.groupby(pd.qcut(column, bands, duplicates="drop"), observed=True)
        low, high = within.transform("min"), within.transform("max")
        names = low.map("{:g}".format) + " to " + high.map("{:g}".format)
    names = names.mask(missing, MISSING_BAND)
    return {str(name): (names == name).to_numpy() for name in dict.fromkeys(names)}


def worst_decisions(y: np.ndarray, p: np.ndarray, decided: np.ndarray, wrong: int, most: int = 10) -> np.ndarray:
    """Return the row numbers of the most confident wrong decisions: wrong=1 false approvals, wrong=0 false denials."""
    chosen = np.flatnonzero((decided == wrong) & (y != wrong))
    order = np.argsort(-p[chosen] if wrong else p[chosen], kind="stable")
    return chosen[order][:most]
