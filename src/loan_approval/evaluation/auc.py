"""The intervals of an AUC and of the difference of two, for few rows and for rows that are copies of each other."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata, t

from loan_approval.errors import DataError
from loan_approval.evaluation.intervals import Interval, effective_rows

ERROR = 0.025  # on either side
LEAST_RATIO = 0.6  # of the observed variance to the model's: few rows can look more alike than they are


def auc_interval(y: np.ndarray, p: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """Return the AUC of (n,) labels and probabilities with its 95 % interval; `groups` as in `intervals`.

    The wider of two: the AUC and t standard errors on the logit scale, by DeLong's variance (of groups, Obuchowski's),
    which misses too often near 1; and all values no more than t standard errors from the AUC observed, the standard
    error at a value being Newcombe's, scaled to the variance observed. t has Welch's degrees of freedom. An AUC of 0 or
    1 has the exact bound of as many successes as the smaller label has groups. Simulated coverage: `make
    bench-intervals`. Raises DataError when y holds a single label.
    Sources: Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2",
    2006, method 5; DeLong et al., "Comparing the areas under two or more correlated ROC curves", 1988; Obuchowski,
    "Nonparametric analysis of clustered ROC curve data", 1997; Welch, "The generalization of Student's problem", 1947.
    """
    _check_labels(y)
    above = _placements(y == 1, p)
    value, (variance, freedom, units, rows) = float(above[y == 1].mean()), _spread(y == 1, above, groups)
    if value in (0.0, 1.0):
        reach = 1 - ERROR ** (1 / min(units))
        return Interval(value, max(0.0, value - reach), min(1.0, value + reach))
    model, q = _newcombe(*rows), t.ppf(1 - ERROR, freedom)
    ratio = variance / model(value) if min(units) > 1 and variance > 0 else 1.0
    scale = q * sqrt(max(ratio, LEAST_RATIO))

    def beyond(x: float, side: int) -> float:
        return x - value + side * scale * sqrt(model(x))

    reach = q * sqrt(ratio * model(value)) / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-reach, reach]))
    low, high = min(low, brentq(beyond, 0, value, args=(1,))), max(high, brentq(beyond, value, 1, args=(-1,)))
    return Interval(value, float(low), float(high))


def auc_gain(
    y: np.ndarray, p_new: np.ndarray, p_old: np.ndarray, groups: np.ndarray | None = None, error: float = ERROR
) -> Interval:
    """Return the AUC of p_new less that of p_old on the same rows with its paired interval. error: on either side.

    What makes a row hard for both cancels out. By DeLong's variance and t; but the variance of either AUC is at least
    Newcombe's, of the AUC with two more rows of the rarer label, ranked above and below all others: two rankings
    without a fault are not surely alike. Raises DataError for a single label.
    Sources: as of `auc_interval`; of the two rows: Agresti and Caffo, "Simple and effective confidence intervals for
    proportions and differences of proportions result from adding two successes and two failures", 2000.
    """
    _check_labels(y)
    new, old = (_placements(y == 1, p) for p in (p_new, p_old))
    value, (variance, freedom, _, rows) = float((new - old)[y == 1].mean()), _spread(y == 1, new - old, groups)
    observed = np.array([_spread(y == 1, each, groups)[0] for each in (new, old)])
    spread = sqrt(observed.prod())
    alike = (observed.sum() - variance) / 2 / spread if spread else 0.0  # the correlation of both AUCs
    model, few = _newcombe(*rows), min(rows)
    least = np.maximum(observed, [model((few * each[y == 1].mean() + 1) / (few + 2)) for each in (new, old)])
    variance = max(variance, least.sum() - 2 * alike * sqrt(least.prod()))
    reach = float(t.ppf(1 - error, freedom)) * sqrt(variance)
    return Interval(value, max(-1.0, value - reach), min(1.0, value + reach))


def _check_labels(y: np.ndarray) -> None:
    if not 0 < np.sum(y) < len(y):
        raise DataError(f"{len(y):,} rows without both labels have no AUC, expected rows of each")


def _placements(is_one: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return (n,) shares: of a one, the zeros that lie below it; of a zero, the ones above. Either mean is the AUC."""
    ranks, placements = rankdata(p), np.empty(len(p))
    for side in (is_one, ~is_one):
        placements[side] = (ranks[side] - rankdata(p[side])) / np.sum(~side)
    return np.where(is_one, placements, 1 - placements)


def _spread(
    is_one: np.ndarray, placements: np.ndarray, groups: np.ndarray | None
) -> tuple[float, float, list[int], list[float]]:
    """Return the variance of the mean placement, its degrees of freedom, and of either label the groups and rows.

    The degrees of freedom are Welch's, the rows effective ones.
    """
    of_row = np.arange(len(placements)) if groups is None else np.unique(groups, return_inverse=True)[1]
    every, off, units, rows = int(of_row.max()) + 1, [], [], []
    for side in (is_one, ~is_one):
        mean = placements[side].mean()
        off.append(np.bincount(of_row[side], placements[side] - mean, every) / np.sum(side))
        units.append(len(np.unique(of_row[side])))
        rows.append(effective_rows(of_row[side]))
    ones, zeros = (float(each @ each) * n / max(n - 1, 1) for each, n in zip(off, units, strict=True))
    cross = 2 * float(off[0] @ off[1]) * every / max(every - 1, 1)
    freedom = float(max(1, min(units) - 1))
    if min(units) > 1 and ones + zeros > 0:
        freedom = (ones + zeros) ** 2 / (ones**2 / (units[0] - 1) + zeros**2 / (units[1] - 1))
    return max(0.0, ones + zeros + cross), freedom, units, rows


def _newcombe(ones: float, zeros: float) -> Callable[[float], float]:
    """Return the variance of an AUC at its value, for so many rows of either label."""
    n = (ones + zeros) / 2 - 1
    return lambda x: max(0.0, x * (1 - x) / (ones * zeros) * (2 * n + 1 - 3 * n / ((2 - x) * (1 + x))))
