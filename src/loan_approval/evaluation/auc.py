"""The interval of an AUC, for few rows and for rows that are copies of each other."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata, t

from loan_approval.errors import DataError
from loan_approval.evaluation.intervals import Interval

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
    if not 0 < np.sum(y) < len(y):
        raise DataError(f"{len(y):,} rows without both labels have no AUC, expected rows of each")
    of_row = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    value, variances, cross, sizes = _components(y == 1, p, of_row)
    rows = [float(size.sum() ** 2 / np.sum(size**2)) for size in sizes]  # Kish's effective numbers
    counts = [int(np.sum(size > 0)) for size in sizes]
    if value in (0.0, 1.0):
        reach = 1 - ERROR ** (1 / min(counts))
        return Interval(value, max(0.0, value - reach), min(1.0, value + reach))
    model, q = _newcombe(*rows), t.ppf(1 - ERROR, max(1, min(counts) - 1))
    ratio = 1.0
    if min(counts) > 1 and sum(variances) > 0:
        freedom = sum(variances) ** 2 / sum(v**2 / (n - 1) for v, n in zip(variances, counts, strict=True))
        ratio, q = (sum(variances) + cross) / model(value), t.ppf(1 - ERROR, freedom)
    scale = q * sqrt(max(ratio, LEAST_RATIO))

    def beyond(x: float, side: int) -> float:
        return x - value + side * scale * sqrt(model(x))

    reach = q * sqrt(ratio * model(value)) / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-reach, reach]))
    low, high = min(low, brentq(beyond, 0, value, args=(1,))), max(high, brentq(beyond, value, 1, args=(-1,)))
    return Interval(value, float(low), float(high))


def _components(
    is_one: np.ndarray, p: np.ndarray, of_row: np.ndarray
) -> tuple[float, list[float], float, list[np.ndarray]]:
    """Return the AUC, its variance by the ones and by the zeros, twice their covariance, and their rows by group."""
    ranks, groups = rankdata(p), int(of_row.max()) + 1
    sides = is_one, ~is_one
    within = [(ranks[side] - rankdata(p[side])) / np.sum(~side) for side in sides]  # share of the others that lie below
    placements = [within[0], 1 - within[1]]
    value = float(placements[0].mean())
    sizes = [np.bincount(of_row[side], minlength=groups) for side in sides]
    sums = [np.bincount(of_row[side], v, groups) for side, v in zip(sides, placements, strict=True)]
    off = [total - size * value for total, size in zip(sums, sizes, strict=True)]
    variances = []
    for each, size in zip(off, sizes, strict=True):
        count = int(np.sum(size > 0))
        variances.append(float(np.sum(each**2)) * count / max(count - 1, 1) / size.sum() ** 2)
    cross = 2 * float(off[0] @ off[1]) * groups / max(groups - 1, 1) / (sizes[0].sum() * sizes[1].sum())
    return value, variances, cross, sizes


def _newcombe(ones: float, zeros: float) -> Callable[[float], float]:
    """Return the variance of an AUC at its value, for so many rows of either label."""
    n = (ones + zeros) / 2 - 1
    return lambda x: max(0.0, x * (1 - x) / (ones * zeros) * (2 * n + 1 - 3 * n / ((2 - x) * (1 + x))))
