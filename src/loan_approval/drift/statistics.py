"""How far two samples of one column are apart, and how likely chance alone would put them there."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp

BINS = 10
FEW_VALUES = 12  # a column with at most so many different values is compared value by value
FEWEST_EXPECTED = 5  # rows a cell of a chi-square table must be expected to have; Cochran, "Some methods", 1954


@dataclass(frozen=True)
class Distance:
    """How far apart two samples of a column are.

    psi: the population stability index; psi_by_chance: what it is expected to be when nothing has changed.
    statistic: the largest difference of the two distribution functions, None for a column of few values.
    p_value: of the test (of both tests, corrected for there being two).
    """

    psi: float
    psi_by_chance: float
    statistic: float | None
    p_value: float

    @property
    def effect(self) -> float:
        """The stability index above what chance adds to it: comparable between small and large samples."""
        return max(0.0, self.psi - self.psi_by_chance)


def measure_distance(
    reference: np.ndarray, current: np.ndarray, missing: tuple[int, int] = (0, 0), named: bool = False
) -> Distance:
    """Return how far (m,) known values of the reference and (n,) current ones are apart; m, n > 0.

    missing: how many more values were unknown, in each; they are a bin of their own in the stability index, and no
    part of the test.   named: the numbers are names (of categories), so that their order says nothing.
    Few values are compared by chi-square. Many by Kolmogorov-Smirnov, which sees a shift best, and by chi-square over
    the reference's deciles, which sees a changed spread best; the smaller p-value counts twice (Bonferroni). With ties
    the p-value of Kolmogorov-Smirnov is too large, never too small.
    """
    values = np.unique(np.concatenate([reference, current]))
    few = named or len(values) <= FEW_VALUES
    edges = values[:-1] if few else quantile_edges(reference)
    counts = np.array([count_bins(sample, edges) for sample in (reference, current)])
    psi, by_chance = stability_index(np.column_stack([counts, missing]))
    p_value, statistic = chi_square_p_value(counts), None
    if not few:
        test = ks_2samp(reference, current, method="asymp")
        p_value, statistic = min(1.0, 2 * min(p_value, float(test.pvalue))), float(test.statistic)
    return Distance(psi, by_chance, statistic, p_value)


def quantile_edges(reference: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the upper edges of all bins but the last: the reference's quantiles.

    A value that many rows share, which is several quantiles at once, becomes a bin of its own; the other values are cut
    at their quartiles too, or they might all lie in one bin.
    """
    edges, times = np.unique(
        np.quantile(reference, np.arange(1, bins) / bins, method="inverted_cdf"), return_counts=True
    )
    shared = edges[(times > 1) | (edges == reference.min()) | (edges == reference.max())]
    others = reference[~np.isin(reference, shared)] if len(shared) else shared
    quartiles = np.quantile(others, [0.25, 0.5, 0.75], method="inverted_cdf") if len(others) else shared
    return np.unique(np.concatenate([edges, np.nextafter(shared, -np.inf), quartiles]))


def count_bins(sample: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many values lie in each of len(edges) + 1 bins; an edge belongs to the bin below it."""
    return np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1)


def stability_index(counts: np.ndarray) -> tuple[float, float]:
    """Return the population stability index of (2, B) counts, and what chance alone lets expect.

    PSI = sum over bins of (q - p) ln(q / p). Half a row is added to each bin that either sample has rows in (Jeffreys'
    prior), so that an empty one is no infinity. Without change PSI is near (1/m + 1/n) chi-square with B - 1 degrees
    of freedom. Sources: Siddiqi, "Credit risk scorecards", 2006; Yurdakul, "Statistical properties of population
    stability index", 2018.
    """
    counts = counts[:, counts.sum(axis=0) > 0]
    smoothed = counts + 0.5
    p, q = smoothed / smoothed.sum(axis=1, keepdims=True)
    by_chance = (counts.shape[1] - 1) * np.sum(1 / np.maximum(counts.sum(axis=1), 1))
    return float(np.sum((q - p) * np.log(q / p))), float(by_chance)


def chi_square_p_value(counts: np.ndarray) -> float:
    """Return Pearson's p-value that two rows of (2, B) counts are of one distribution.

    Bins too small for the test are merged into one; 1.0 when a single one remains: nothing can be told apart.
    """
    merged = merge_small_bins(counts)
    if merged.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(merged, correction=False).pvalue)


def merge_small_bins(counts: np.ndarray) -> np.ndarray:
    """Return (2, B) counts in which each cell is expected to have `FEWEST_EXPECTED` rows, or one bin.

    Which bins are merged follows from the totals of both samples, so it says nothing about how they differ.
    """
    bins = counts[:, np.argsort(counts.sum(axis=0), kind="stable")]
    expected = bins.sum(axis=0) * counts.sum(axis=1).min() / max(counts.sum(), 1)
    small = int(np.sum(expected < FEWEST_EXPECTED))
    if not small:
        return bins
    # All small bins, and as many of the next ones as it takes for the merged one to be large enough.
    merged = max(small, int(np.searchsorted(np.cumsum(expected), FEWEST_EXPECTED)) + 1)
    return np.column_stack([bins[:, :merged].sum(axis=1), bins[:, merged:]])


def share_p_value(reference: tuple[int, int], current: tuple[int, int]) -> float:
    """Return the two-sided p-value that two shares, each (count, rows), are the same.

    By chi-square where its cells are large enough, else Fisher's exact test.
    """
    table = np.array([[count, rows - count] for count, rows in (reference, current)])
    totals = table.sum(axis=0)
    if min(totals) * min(table.sum(axis=1)) >= FEWEST_EXPECTED * totals.sum():
        return chi_square_p_value(table)
    return float(fisher_exact(table).pvalue)


def correct_p_values(p_values: list[float]) -> list[float]:
    """Return p-values corrected for there being many: any below 5 % at all happens by chance in at most 5 % of cases.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    count = len(p_values)
    corrected, largest = [1.0] * count, 0.0
    for rank, position in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (count - rank) * p_values[position]))
        corrected[position] = largest
    return corrected
