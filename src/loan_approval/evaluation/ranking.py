"""How well scores rank, in the figures that credit uses: Gini, KS, gains and lift.

Labels are codes (1 approved or repaid), probabilities those of a 1. The rows a lender wants to find are the 0s (denied,
or not repaid): gains and lift count these, from the lowest probability upwards.
Sources: Siddiqi, "Intelligent Credit Scoring", 2nd edition 2017, chapter 6; Thomas, Edelman and Crook, "Credit Scoring
and Its Applications", 2nd edition 2017, chapter 8.
"""

import numpy as np
import pandas as pd

from loan_approval.errors import DataError
from loan_approval.evaluation.auc import ERROR
from loan_approval.evaluation.intervals import Interval, delta_interval, effective_rows
from loan_approval.evaluation.rates import rate_difference

PARTS = 10


def gini(auc: Interval) -> Interval:
    """Return the Gini coefficient, 2 AUC - 1, of an AUC with its interval; also called accuracy ratio or Somers' D."""
    return Interval(2 * auc.value - 1, 2 * auc.low - 1, 2 * auc.high - 1)


def ks(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance between the scores of (n,) labels, and the score at which it is largest.

    The distance is the largest difference between the shares of 1s and of 0s that a score lets through; NaN, NaN where
    y holds a single label.
    """
    if not 0 < np.sum(y) < len(y):
        return float("nan"), float("nan")
    order = np.argsort(p, kind="stable")
    scores, ones = p[order], y[order]
    at_or_below = np.cumsum(1 - ones) / np.sum(1 - ones) - np.cumsum(ones) / np.sum(ones)
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))  # equal scores can't be told apart
    at = ends[np.argmax(at_or_below[ends])]
    return float(max(0.0, at_or_below[at])), float(scores[min(at + 1, len(scores) - 1)])


def distance_at(y: np.ndarray, p: np.ndarray, score: float, groups: np.ndarray | None = None) -> Interval:
    """Return the difference between the shares of 1s and of 0s from a score upwards, with its 95 % interval.

    At the score where other rows part best, this is what KS is worth: KS itself picks the largest of many differences,
    which chance makes larger still, and no bootstrap tried covered it. `groups` as in `intervals`. Raises DataError for
    a single label. Source of the interval: `rates.rate_difference`.
    """
    if not 0 < np.sum(y) < len(y):
        raise DataError(f"{len(y):,} rows without both labels have no KS distance, expected rows of each")
    groups = np.arange(len(y)) if groups is None else groups
    passes = p >= score
    rates = []
    for chosen in (y == 1, y == 0):
        rows = effective_rows(groups[chosen], passes[chosen])
        rates.append((float(np.mean(passes[chosen])) * rows, rows))
    return rate_difference(*rates)


def gains_table(y: np.ndarray, p: np.ndarray, parts: int = PARTS, groups: np.ndarray | None = None) -> pd.DataFrame:
    """Return one row a part of equal size, lowest probabilities first. `groups` as in `intervals`.

    Columns: `part` from 1; `rows`; `lowest`, `highest` probability; `zeros` and `share_of_zeros`, the part's 0s and how
    many of its rows these are; `gain`, the share of all 0s in this part and those before it; `lift`, that gain over the
    share of rows so far (1 is chance); `gain_low`, `gain_high`, `lift_low`, `lift_high`, their 95 % intervals. Rows of
    equal probability share their 0s evenly, whichever part they stand in. NaN where there are no 0s at all.
    """
    _, tie = np.unique(p, return_inverse=True)
    in_order, sizes = np.sort(tie, kind="stable"), np.bincount(tie)
    of_score = np.bincount(tie, 1.0 - y) / sizes
    ranked, lowest_first = of_score[in_order], np.sort(p)
    ends = np.unique(np.ceil(len(y) * np.arange(1, parts + 1) / parts).astype(int))
    begins = np.concatenate([[0], ends[:-1]])
    zeros = np.array([ranked[begin:end].sum() for begin, end in zip(begins, ends, strict=True)])
    gain = np.cumsum(zeros) / zeros.sum() if zeros.sum() else np.full(len(ends), np.nan)
    table = pd.DataFrame(
        {
            "part": np.arange(1, len(ends) + 1),
            "rows": ends - begins,
            "lowest": lowest_first[begins],
            "highest": lowest_first[ends - 1],
            "zeros": zeros,
            "share_of_zeros": zeros / (ends - begins),
            "gain": gain,
            "lift": gain / (ends / len(y)),
        }
    )
    begin_of_score = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for row, (end, value) in enumerate(zip(ends, gain, strict=True)):
        within = np.clip((end - begin_of_score) / sizes, 0, 1)[tie]  # the part of each row that stands before the end
        interval = _gain_interval(y, ranked, within, float(value), groups)
        table.loc[row, ["gain_low", "gain_high"]] = interval.low, interval.high
        table.loc[row, ["lift_low", "lift_high"]] = np.array([interval.low, interval.high]) * len(y) / end
    return table


def _gain_interval(
    y: np.ndarray, ranked: np.ndarray, within: np.ndarray, gain: float, groups: np.ndarray | None
) -> Interval:
    """Return the interval of the share of 0s among the rows with the lowest scores.

    ranked: (n,) the 0s by rank.   within: (n,) the part of each row that counts.   The cut is the rows' own quantile:
    where other rows lie lower, it moves, and takes with it as many 0s as there are near it.
    """
    end, zero = round(float(within.sum())), 1.0 - y
    if not zero.any() or end == len(y):
        return Interval(gain, gain, gain)
    near = ranked[max(0, end - len(y) // (2 * PARTS) - 1) : end + len(y) // (2 * PARTS) + 1].mean()
    is_end = min(gain, 1 - gain) < 1e-9  # all 0s or none: what lies near the cut says nothing
    moves = np.zeros(len(y)) if is_end else (zero * (within - gain) - near * (within - within.mean())) / zero.mean()
    least = ERROR ** (1 / effective_rows(np.arange(len(y))[y == 0] if groups is None else groups[y == 0]))
    return delta_interval(gain, moves, groups, least, 1 - least)
