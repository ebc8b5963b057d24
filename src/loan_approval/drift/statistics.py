"""How far two samples of one column are apart, and how likely chance alone would put them there."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, ncx2

BINS = 10
FEW_VALUES = 12  # a column with at most so many different values is compared value by value
FEWEST_EXPECTED = 5  # rows a cell of a chi-square table must be expected to have; Cochran, "Some methods", 1954


@dataclass(frozen=True)
class Distance:
    """How far apart two samples of a column are.

    psi: the population stability index; psi_by_chance: its expected value when nothing has changed; psi_interval: the
    95 % interval of the index that all rows would show.
    statistic: the largest difference of the two distribution functions, None for a column of few values.
    p_value: of the test, or of both tests, corrected for their number.
    """

    psi: float
    psi_by_chance: float
    psi_interval: tuple[float, float]
    statistic: float | None
    p_value: float

    @property
    def effect(self) -> float:
        """The stability index less its expected value: comparable between small and large samples."""
        return max(0.0, self.psi - self.psi_by_chance)


def measure_distance(
    reference: np.ndarray, current: np.ndarray, missing: tuple[int, int] = (0, 0), named: bool = False
) -> Distance:
    """Return how far (m,) known values of the reference and (n,) current ones are apart; m, n > 0.

    missing: the number of missing values in each, a bin of the stability index that the tests ignore.
    named: the numbers stand for categories, so their order means nothing.
    Few values are compared by chi-square; many by Kolmogorov-Smirnov, which detects a shift best, and by chi-square
    over the reference's deciles, which detects a changed spread best; the smaller p-value is doubled (Bonferroni).
    Ties make the p-value of Kolmogorov-Smirnov too large, never too small.
    """
    values = np.unique(np.concatenate([reference, current]))
    few = named or len(values) <= FEW_VALUES
    edges = values[:-1] if few else quantile_edges(reference)
    counts = np.array([count_bins(sample, edges) for sample in (reference, current)])
    counts_and_missing = np.column_stack([counts, missing])
    psi, by_chance = stability_index(counts_and_missing)
    interval = stability_interval(psi, by_chance, int(np.sum(counts_and_missing.sum(axis=0) > 0)))
    p_value, statistic = chi_square_p_value(counts), None
    if not few:
        test = ks_2samp(reference, current, method="asymp")
        p_value, statistic = min(1.0, 2 * min(p_value, float(test.pvalue))), float(test.statistic)
    return Distance(psi, by_chance, interval, statistic, p_value)


def quantile_edges(reference: np.ndarray) -> np.ndarray:
    """Return the upper edges of all bins but the last: the reference's quantiles.

    A value that is several quantiles becomes a bin of its own; the other values are also cut at their quartiles.
    """
    quantiles = np.quantile(reference, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges, times = np.unique(quantiles, return_counts=True)
    shared = edges[(times > 1) | (edges == reference.min()) | (edges == reference.max())]
    others = reference[~np.isin(reference, shared)] if len(shared) else shared
    quartiles = np.quantile(others, [0.25, 0.5, 0.75], method="inverted_cdf") if len(others) else shared
    return np.unique(np.concatenate([edges, np.nextafter(shared, -np.inf), quartiles]))


def count_bins(sample: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many values lie in each of len(edges) + 1 bins; an edge belongs to the bin below it."""
    return np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1)


def stability_index(counts: np.ndarray) -> tuple[float, float]:
    """Return the population stability index of (2, B) counts, and its expected value when nothing has changed.

    PSI = sum over bins of (q - p) ln(q / p). Half a row is added to each bin with rows in either sample (Jeffreys'
    prior), so that PSI stays finite. Without change PSI is near (1/m + 1/n) chi-square with B - 1 degrees of freedom.
    Sources: Siddiqi, "Credit risk scorecards", 2006; Yurdakul, "Statistical properties of population
    stability index", 2018.
    """
    counts = counts[:, counts.sum(axis=0) > 0]
    smoothed = counts + 0.5
    p, q = smoothed / smoothed.sum(axis=1, keepdims=True)
    by_chance = (counts.shape[1] - 1) * np.sum(1 / np.maximum(counts.sum(axis=1), 1))
    return float(np.sum((q - p) * np.log(q / p))), float(by_chance)


def stability_interval(psi: float, by_chance: float, bins: int) -> tuple[float, float]:
    """Return the 95 % interval of the stability index that all rows would show, from what `stability_index` returned.

    psi is by_chance over bins - 1 times a chi-square, noncentral where something has changed; the interval inverts it.
    Its lower end is 0 where chance alone explains psi. A single bin has (0, 0). Rows must not be copies of each other.
    Source: Venables, "Calculation of confidence intervals for noncentrality parameters", 1975.
    """
    if bins < 2:
        return 0.0, 0.0
    degrees = bins - 1
    scale = by_chance / degrees
    seen = psi / scale

    def shift(share: float) -> float:
        def beyond(noncentrality: float) -> float:
            return float(ncx2.cdf(seen, degrees, noncentrality)) - share

        largest = seen + 12 * np.sqrt(2 * (degrees + 2 * seen)) + 30
        return scale * brentq(beyond, 0.0, largest) if beyond(0.0) > 0 else 0.0

    return shift(0.975), shift(0.025)


def chi_square_p_value(counts: np.ndarray) -> float:
    """Return Pearson's p-value that (2, B) counts come from one distribution.

    Bins too small for the test are merged; 1.0 when a single one remains.
    """
    merged = merge_small_bins(counts)
    return float(chi2_contingency(merged, correction=False).pvalue) if merged.shape[1] > 1 else 1.0


def merge_small_bins(counts: np.ndarray) -> np.ndarray:
    """Return (2, B) counts in which each cell is expected to have `FEWEST_EXPECTED` rows, or one bin.

    The totals of both samples decide which bins are merged, so the choice does not depend on how the samples differ.
    """
    bins = counts[:, np.argsort(counts.sum(axis=0), kind="stable")]
    expected = bins.sum(axis=0) * counts.sum(axis=1).min() / max(counts.sum(), 1)
    small = int(np.sum(expected < FEWEST_EXPECTED))
    if not small:
        return bins
    # All small bins, and as many larger ones as make the merged bin large enough.
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
    """Return p-values corrected for their number: if nothing has changed, any is below 5 % with probability 5 %.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    p, order = np.array(p_values, dtype=float), np.argsort(p_values, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(np.minimum(1.0, np.arange(len(p), 0, -1) * p[order]))
    return corrected.tolist()
