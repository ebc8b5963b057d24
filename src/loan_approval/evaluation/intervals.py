"""Intervals and p-values of figures measured on rows.

Rows may be copies of each other, and a copy is no further evidence. Functions that draw rows therefore take `groups`:
(n,) the number of the unit that each row is (a distinct row, or a declared group such as a customer), from 0, as
`Dataset.units` returns it; all rows of a unit are drawn together. None says that each row is a unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from loan_approval.errors import DataError

BOOTSTRAP_DRAWS = 1000
Z = 1.959964  # of 95 %, two-sided


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided interval, which always holds it: low <= value <= high.

    Rounding puts a bound a last bit past the estimate, and a skewed sample of draws may put it further: a bound past
    the estimate becomes the estimate.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", min(self.low, self.value))
        object.__setattr__(self, "high", max(self.high, self.value))

    def widen(self, factor: float) -> "Interval":
        """Return the interval with its bounds so many times as far from the value."""
        return Interval(self.value, *(self.value + factor * (end - self.value) for end in (self.low, self.high)))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class RowDraws:
    """Draws n rows with replacement, all rows of a group together."""

    def __init__(self, rows: int, groups: np.ndarray | None = None) -> None:
        of_row = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
        self._sizes = np.bincount(of_row)
        self._by_group = np.argsort(of_row, kind="stable")
        self._starts = np.cumsum(self._sizes) - self._sizes

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return the row numbers of as many groups as there are, drawn with replacement."""
        drawn = rng.integers(0, len(self._sizes), len(self._sizes))
        sizes = self._sizes[drawn]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self._by_group[np.repeat(self._starts[drawn], sizes) + within]


def bootstrap(
    statistic: Callable[[np.ndarray], float], rows: int, seed: int, groups: np.ndarray | None = None
) -> Interval | None:
    """Return statistic(all row numbers) with the 95 % percentile interval over rows drawn with replacement.

    Draws in which the statistic is NaN (a single class) are left out. None for no rows, and where the statistic of all
    rows or of every draw is NaN. Source: Efron, "Bootstrap methods", 1979; of groups: Davison and Hinkley, "Bootstrap
    methods and their application", 1997, 3.8.
    """
    value = statistic(np.arange(rows)) if rows else np.nan
    if np.isnan(value):
        return None
    rng, draws = np.random.default_rng(seed), RowDraws(rows, groups)
    drawn = np.array([statistic(draws.draw(rng)) for _ in range(BOOTSTRAP_DRAWS)])
    if np.isnan(drawn).all():
        return None
    low, high = np.nanquantile(drawn, [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return Interval(value, float(low), float(high))


def bootstrap_mean(values: np.ndarray, seed: int, groups: np.ndarray | None = None) -> Interval:
    """Return the mean of (n,) values with its 95 % interval. Raises DataError for no values."""
    found = bootstrap(lambda rows: float(np.mean(values[rows])), len(values), seed, groups)
    if found is None:
        raise DataError("no rows, expected at least one to take a mean of")
    return found


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


def effective_rows(groups: np.ndarray) -> float:
    """Return how many distinct rows say as much as these; gaps don't matter. Source: Kish, "Survey sampling", 1965."""
    sizes = np.bincount(groups)
    return float(len(groups) ** 2 / np.sum(sizes**2))


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
    as_good = sum(rng.permutation(rank) @ surplus >= observed for _ in range(permutations))
    return (1 + int(as_good)) / (1 + permutations)
