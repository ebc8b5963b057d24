"""How well scores rank, in the figures that credit uses: Gini, KS, gains and lift.

Labels are codes (1 approved or repaid), probabilities those of a 1. The rows a lender wants to find are the 0s (denied,
or not repaid): gains and lift count these, from the lowest probability upwards.
Sources: Siddiqi, "Intelligent Credit Scoring", 2nd edition 2017, chapter 6; Thomas, Edelman and Crook, "Credit Scoring
and Its Applications", 2nd edition 2017, chapter 8.
"""

import numpy as np
import pandas as pd

from loan_approval.errors import DataError
from loan_approval.evaluation.intervals import Interval, effective_rows
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


def gains_table(y: np.ndarray, p: np.ndarray, parts: int = PARTS) -> pd.DataFrame:
    """Return one row a part of equal size, lowest probabilities first.

    Columns: `part` from 1; `rows`; `lowest`, `highest` probability; `zeros` and `share_of_zeros`, the part's 0s and how
    many of its rows these are; `gain`, the share of all 0s in this part and those before it; `lift`, that gain over the
    share of rows so far (1 is chance). Rows of equal probability share their 0s evenly, whichever part they stand in.
    NaN where there are no 0s at all.
    """
    order = np.argsort(p, kind="stable")
    ranked, lowest_first = 1.0 - y[order], p[order]
    _, tie = np.unique(lowest_first, return_inverse=True)
    ranked = (np.bincount(tie, ranked) / np.bincount(tie))[tie]
    ends = np.unique(np.ceil(len(y) * np.arange(1, parts + 1) / parts).astype(int))
    begins = np.concatenate([[0], ends[:-1]])
    zeros = np.array([ranked[begin:end].sum() for begin, end in zip(begins, ends, strict=True)])
    gain = np.cumsum(zeros) / zeros.sum() if zeros.sum() else np.full(len(ends), np.nan)
    return pd.DataFrame(
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
