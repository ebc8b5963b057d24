"""Intervals and p-values of figures measured on rows.

Rows may be copies of each other, and a copy is no further evidence. Functions therefore take `groups`: (n,) the number
of the unit that each row is (a distinct row, or a declared group such as a customer), from 0, as `Dataset.units`
returns it. None says that each row is a unit.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t

from loan_approval.errors import DataError

Z = 1.959964  # of 95 %, two-sided
FEWEST_UNITS = 10  # the sums of fewer groups may agree by chance
ShareInterval = Callable[[float, float], tuple[float, float]]  # of a count and rows


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided interval, which always holds it: low <= value <= high.

    Rounding may put a bound a last bit past the estimate: such a bound becomes the estimate.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", min(self.low, self.value))
        object.__setattr__(self, "high", max(self.high, self.value))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson_interval(count: float, rows: float, z: float = Z) -> tuple[float, float]:
    """Return the interval of a share, by default of 95 %; of no rows, 0 to 1.

    Source: Wilson, "Probable inference", 1927.
    """
    if not rows:
        return 0.0, 1.0
    share, spread = count / rows, z**2 / rows
    middle = (share + spread / 2) / (1 + spread)
    reach = sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))


def effective_rows(groups: np.ndarray, values: np.ndarray | None = None) -> float:
    """Return how many independent rows say as much as these; gaps in the numbers of `groups` don't matter.

    Where the rows of a group are equal, or no (n,) values are given: Kish's number. Rows of a group whose values differ
    say more about their mean: the ratio of its variance over independent rows to that over groups tells how much, from
    FEWEST_UNITS groups on.
    Sources: Kish, "Survey sampling", 1965; of shares: Rao and Scott, "A simple method for the analysis of clustered
    binary data", 1992.
    """
    rows, sizes = len(groups), np.bincount(groups)
    least, units = float(rows**2 / np.sum(sizes**2)), int(np.sum(sizes > 0))
    if values is None or not FEWEST_UNITS <= units < rows:
        return least
    off = values - np.mean(values)
    sums = np.bincount(groups, off)
    if np.allclose(off, (sums / np.maximum(sizes, 1))[groups]):  # copies: nothing is to be estimated
        return least
    of_groups = float(np.sum(sums**2)) * units / (units - 1)
    of_rows = float(np.sum(off**2)) * rows / (rows - 1)
    return min(float(rows), max(least, rows * of_rows / of_groups)) if of_groups > 0 else least


def combine_shares(parts: Iterable[tuple[float, float, float]], interval: ShareInterval = wilson_interval) -> Interval:
    """Return the weighted sum of shares, each (weight, count, rows), with its interval from that of each (MOVER).

    Simulated coverage: `make bench-intervals`. Sources: Zou and Donner, "Construction of confidence limits about effect
    measures", 2008; of a difference, the same as Newcombe, "Interval estimation for the difference between independent
    proportions", 1998, method 10.
    """
    value = below = above = 0.0
    for weight, count, rows in parts:
        share = count / rows
        low, high = sorted(weight * (end - share) for end in interval(count, rows))
        value, below, above = value + weight * share, below + low**2, above + high**2
    return Interval(value, value - sqrt(below), value + sqrt(above))


def mean_interval(
    values: np.ndarray,
    kinds: Iterable[float],
    groups: np.ndarray | None = None,
    interval: ShareInterval = wilson_interval,
) -> Interval:
    """Return the mean of (n,) values with its 95 % interval, by the share of the rows that has each value.

    kinds: all that a value can be beside 0. One that no row has may still occur, which resampling would not see.
    What is gained and what is lost exclude each other in a row, which widens the interval of their difference.
    Raises DataError for no values.   Source: as of `combine_shares`, of correlated estimates.
    """
    if not len(values):
        raise DataError("no rows, expected at least one to take a mean of")
    rows, kinds = float(len(values)) if groups is None else effective_rows(groups, values), set(kinds)
    gained, lost = (
        combine_shares([(sign * k, float(np.mean(values == k)) * rows, rows) for k in kinds if sign * k > 0], interval)
        for sign in (1, -1)
    )
    spread = float(np.std(np.maximum(values, 0)) * np.std(np.minimum(values, 0)))
    tie = gained.value * lost.value / spread if spread else 0.0  # their correlation, which is negative
    value, ends = gained.value - lost.value, []
    for up, down in (
        (gained.value - gained.low, lost.high - lost.value),
        (gained.high - gained.value, lost.value - lost.low),
    ):
        ends.append(sqrt(up**2 + down**2 + 2 * tie * up * down))
    return Interval(value, value - ends[0], value + ends[1])


def delta_interval(
    value: float,
    moves: np.ndarray,
    groups: np.ndarray | None,
    below_1: float = 1.0,
    above_0: float = 0.0,
    *,
    is_share: bool = True,
) -> Interval:
    """Return the 95 % interval of a metric, on the scale of the log-odds, or of the log where it is no share.

    moves: (n,) by how much each row moves it, a constant aside.   below_1, above_0: the lower bound of a value of 1 and
    the upper one of 0; no value has a higher, or a lower one.
    Sources: Efron, "Nonparametric estimates of standard error: the jackknife, the bootstrap and other methods", 1981;
    on few groups of unlike size: Bell and McCaffrey, "Bias reduction in standard errors for linear regression with
    multi-stage samples", 2002, for a mean.
    """
    groups = np.arange(len(moves)) if groups is None else groups
    off, sizes, rows = moves - np.mean(moves), np.bincount(groups).astype(float), effective_rows(groups)
    error = sqrt(np.sum(np.bincount(groups, off) ** 2) * rows / max(1.0, rows - 1)) / len(off)
    freedom = max(1.0, np.sum(sizes**2) ** 2 / np.sum(sizes**4) - 1)
    least = 0.5 / len(off)  # a share of 0 or 1 has no log-odds
    ends, there, back = ((least, 1 - least), logit, expit) if is_share else ((least, np.inf), np.log, np.exp)
    near = float(np.clip(value, *ends))
    reach = t.ppf(0.975, freedom) * error / (near * (1 - near) if is_share else near)
    low, high = (float(back(there(near) + side * reach)) for side in (-1, 1))
    return Interval(value, min(low, float(below_1)), max(high, float(above_0)))


def rank_p_value(
    y: np.ndarray, ranks: np.ndarray, seed: int, groups: np.ndarray | None = None, permutations: int = 2000
) -> float:
    """Return the one-sided p-value of the sum of the positive rows' (n,) ranks under permuted labels.

    With ranks of probabilities, this is the p-value of their AUC. Nothing is refitted. What is permuted is how many
    more positives a group has than its rows would have on average; where all rows are distinct, the labels.
    Source: Phipson and Smyth, "Permutation P-values should never be zero", 2010.
    """
    groups = np.arange(len(y)) if groups is None else groups
    rng, sizes = np.random.default_rng(seed), np.bincount(groups)
    rank, surplus = np.bincount(groups, ranks) / sizes, np.bincount(groups, y - np.mean(y))
    observed = rank @ surplus - 1e-9 * len(ranks)  # sums of equal ranks differ by their order
    surplus = -np.sort(-surplus)
    # Not `@`: for more than 10,000 numbers BLAS starts threads that take ten times as long.
    as_good = sum((rng.permutation(rank) * surplus).sum() >= observed for _ in range(permutations))
    return (1 + int(as_good)) / (1 + permutations)
