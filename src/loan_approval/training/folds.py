"""Folds of rows that keep the rows of a unit together: a copy of a row that was learnt from is no held-out row."""

import numpy as np
from sklearn.model_selection import StratifiedKFold

from loan_approval.errors import DataError


def assign_folds(y: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return (n,) the number of the fold that holds each row out: labels spread evenly, units in one fold.

    y: (n,) codes.   groups: (n,) the number of the unit that each row is, as `Dataset.units` returns it. Where each row
    is a unit these are the folds of scikit-learn's StratifiedKFold. Raises DataError when a fold holds rows of one
    label only.
    """
    of_group = np.empty(groups.max() + 1, dtype=np.int64)
    strata = labels_of_groups(y, groups, folds)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(strata, strata)):
        of_group[held_out] = number
    fold = of_group[groups]
    if min(len(np.unique(fold[y == code])) for code in (0, 1)) < folds:
        raise DataError(f"too few distinct rows or groups of a label for {folds} folds with both labels in each")
    return fold


def labels_of_groups(y: np.ndarray, groups: np.ndarray, fewest: int) -> np.ndarray:
    """Return the code of each group, that of the rarer label where it holds both.

    All are 0 where a code has fewer than `fewest` groups: there are too few to be spread evenly.
    """
    rarer = int(np.mean(y) < 0.5)
    holds_it = np.bincount(groups, y == rarer) > 0
    codes = np.where(holds_it, rarer, 1 - rarer)
    return codes if np.bincount(codes, minlength=2).min() >= fewest else np.zeros_like(codes)
