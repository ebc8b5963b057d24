"""The bins of a reliability diagram and the expected calibration error (ECE)."""

from dataclasses import dataclass

import numpy as np

from loan_approval.errors import DataError
from loan_approval.evaluation.intervals import Interval, effective_rows, wilson_interval

BINS = 10
BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True)
class Bin:
    """Mean probability and observed share of the rows of one bin; low, high: the share's 95 % interval."""

    predicted: float
    observed: float
    rows: int
    low: float
    high: float


@dataclass(frozen=True)
class Reliability:
    """The bins, the expected calibration error, and what it would be by chance were the probabilities perfect."""

    bins: list[Bin]
    ece: Interval
    ece_by_chance: float

    def __str__(self) -> str:
        return f"ECE {self.ece}; {self.ece_by_chance:.3f} is to be expected by chance alone"


def measure_reliability(
    y: np.ndarray, p: np.ndarray, seed: int, groups: np.ndarray | None = None, bins: int = BINS
) -> Reliability:
    """Return bins of equal mass and the expected calibration error (ECE) with a 95 % interval.

    ECE = sum over bins of |mean probability - observed share|, weighted by rows; equal scores share a bin. Chance alone
    biases it upwards: `ece_by_chance` is the ECE of labels drawn from these p. Resampling adds the bias again, so the
    lower bound is 0 where chance explains the ECE (97.5 %), else the basic bootstrap's; the upper one is the ECE plus
    the draws' spread above their own mean. Groups of equal rows have one label by chance, and are drawn together.
    Raises DataError for no rows.
    Sources: Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015; Bröcker and Smith,
    "Increasing the reliability of reliability diagrams", 2007; Davison and Hinkley, "Bootstrap methods", 1997, 5.2;
    on the bias Kumar et al., "Verified uncertainty calibration", 2019.
    """
    if not len(y):
        raise DataError("no rows, expected at least one to measure the calibration on")
    of_row = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rng, sizes = np.random.default_rng(seed), np.bincount(of_row)
    edges = np.unique(np.quantile(p, np.arange(1, bins) / bins))
    of_bin = np.searchsorted(edges, p, side="left")  # bins stay as they are in all draws
    # Sums by group and bin: a draw is how many times it has each group.
    sums = np.bincount(of_row * bins + of_bin, y - p, len(sizes) * bins).reshape(-1, bins)
    ece = float(np.abs(sums.sum(axis=0)).sum() / len(y))
    draws = (np.bincount(rng.integers(0, len(sizes), len(sizes)), minlength=len(sizes)) for _ in range(BOOTSTRAP_DRAWS))
    drawn = np.array([np.abs(times @ sums).sum() / (times @ sizes) for times in draws])
    chances = (rng.random(len(sizes))[of_row] for _ in range(BOOTSTRAP_DRAWS))
    by_chance = np.array([np.abs(np.bincount(of_bin, (u < p) - p)).sum() for u in chances]) / len(y)
    most = float(np.quantile(drawn, 0.975))
    low = 0.0 if ece <= np.quantile(by_chance, 0.975) else max(0.0, 2 * ece - most)
    interval = Interval(ece, low, ece + most - float(np.mean(drawn)))
    shown = [_describe(y[of_bin == k], p[of_bin == k], of_row[of_bin == k]) for k in np.unique(of_bin)]
    return Reliability(shown, interval, float(np.mean(by_chance)))


def _describe(y: np.ndarray, p: np.ndarray, groups: np.ndarray) -> Bin:
    observed, rows = float(np.mean(y)), effective_rows(groups, y)
    low, high = wilson_interval(observed * rows, rows)
    return Bin(float(np.mean(p)), observed, len(y), min(low, observed), max(high, observed))
