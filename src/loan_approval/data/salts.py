"""Chooses a salt whose splits hold both labels evenly. Only labels are counted; no model has a part in it."""

import re

import numpy as np
import pandas as pd

from loan_approval.data.splits import SHARES, SPLITS, assign_splits

SALTS = 20  # tried, in a fixed order
EVEN = 0.75  # of its expected count is what a split must have of each label to be called even


def find_salt(identities: np.ndarray, y: np.ndarray, salt: str, enough: float = 1.0) -> str:
    """Return the salt, of `SALTS` like the given one, whose splits are the most even; the given one if it is enough.

    identities, y: (n,) of the rows.   enough: the evenness, as of `evenness`, that needs no other salt.
    A salt splits rows by their hash alone, so that each row keeps its split whatever rows are added. To choose it by
    the counts of the labels is to stratify once.
    """
    if evenness(identities, y, salt) >= enough:
        return salt
    stem = re.sub(r"-\d+$", "", salt)
    tried = dict.fromkeys([salt, *(f"{stem}-{number}" for number in range(1, SALTS + 1))])
    return max(tried, key=lambda each: evenness(identities, y, each))  # the first of several


def evenness(identities: np.ndarray, y: np.ndarray, salt: str) -> float:
    """Return how near the counts of labels come to the splits' shares: 1 for all of them exact, 0 where one is missing.

    It is the least ratio, over splits and labels, of a count to the share's or of the share's to the count. Counted are
    both the units and the rows of a label.
    """
    counts = _count(identities, y, salt)
    counts = counts[counts.any(axis=1)]
    expected = counts.sum(axis=1, keepdims=True) * SHARES
    return float(np.min(np.minimum(counts, expected) / np.maximum(counts, expected), initial=1.0))


def count_labels(identities: np.ndarray, y: np.ndarray, salt: str) -> dict[str, list[int]]:
    """Return how many units of label 0 and of label 1 each split has under a salt."""
    return dict(zip(SPLITS, _count(identities, y, salt)[:2].T.tolist(), strict=True))


def _count(identities: np.ndarray, y: np.ndarray, salt: str) -> np.ndarray:
    """Return (4, splits) counts: units with label 0 and with label 1, rows with label 0 and with label 1."""
    unit, distinct = pd.factorize(identities)
    rows = np.array([np.bincount(unit, y == code, minlength=len(distinct)) for code in (0, 1)])
    of_split = np.array([assign_splits(distinct, salt) == split for split in SPLITS])
    return np.concatenate([rows > 0, rows]).astype(np.int64) @ of_split.T.astype(np.int64)
