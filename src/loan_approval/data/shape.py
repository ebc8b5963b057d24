"""What the shape of a data set means for training: few rows, a rare label, copies of rows, an uneven split.

Counts are of distinct rows: copies of a row are one row that stands several times.
"""

import re

import numpy as np
import pandas as pd

from loan_approval.data.datasets import SHARES, SPLITS, Dataset, assign_splits, number_distinct
from loan_approval.errors import DataError

FEWEST_PER_LABEL = 10  # distinct rows of each label a split must have, twice the folds of the cross-validation
FEW_PER_LABEL = 30  # with fewer, calibration, threshold and test results move a lot by chance
RARE = 0.05  # share of a label below which accuracy says little
SALTS = 100  # tried, to find one that splits a rare label evenly


def count_distinct(y: np.ndarray, groups: np.ndarray) -> list[int]:
    """Return how many distinct rows have label 0, and how many label 1. groups: (n,) as of `number_distinct`."""
    return [len(np.unique(groups[y == code])) for code in (0, 1)]


def count_by_split(dataset: Dataset) -> dict[str, list[int]]:
    """Return how many distinct rows of label 0 and of label 1 each split has."""
    return {split: count_distinct(dataset.rows(split)[1], dataset.distinct(split)) for split in SPLITS}


def check_labels(dataset: Dataset) -> None:
    """Raise DataError, with what to do, when a split has too few distinct rows of a label to learn or to judge from."""
    counts = count_by_split(dataset)
    short = [(n, split, code) for split in SPLITS for code, n in enumerate(counts[split]) if n < FEWEST_PER_LABEL]
    if short:
        named = [f"{n} distinct rows of split {split} are {dataset.contract.label(code)!r}" for n, split, code in short]
        remedy = _remedy(dataset, min(short)[2])
        raise DataError(f"{dataset.name}: {', '.join(named)}, expected at least {FEWEST_PER_LABEL}; {remedy}")


def _remedy(dataset: Dataset, code: int) -> str:
    label = dataset.contract.label(code)
    X = dataset.X[dataset.y == code]
    X = X[np.unique(number_distinct(X), return_index=True)[1]]
    if not len(X):
        return f"no row at all is {label!r}: there is nothing to learn, add rows of both labels"
    salt, counts = find_salt(X, dataset.contract.split_salt)
    if min(counts) >= FEWEST_PER_LABEL:
        splits = ", ".join(f"{n} {split}" for split, n in zip(SPLITS, counts, strict=True))
        return f'split_salt = "{salt}" in contract.toml would split the {len(X)} of them into {splits}'
    enough = round(1.5 * FEWEST_PER_LABEL / min(SHARES))
    return f"there are {len(X)} of them in all: add rows until there are about {enough} distinct ones, or more"


def find_salt(X: np.ndarray, salt: str) -> tuple[str, list[int]]:
    """Return the salt, of some like the given one, that splits (n, F) rows most evenly, and their counts by split.

    A salt splits rows by their hash alone, so that each row keeps its split whatever rows are added. To choose it by
    the counts of a rare label is to stratify once; the models have no part in it.
    """
    stem = re.sub(r"-\d+$", "", salt)
    tried = [salt, *(f"{stem}-{number}" for number in range(2, SALTS + 1))]
    splits = [assign_splits(X, each) for each in tried]
    counts = [[int(np.sum(of_row == split)) for split in SPLITS] for of_row in splits]
    evenness = [min(n / share for n, share in zip(each, SHARES, strict=True)) for each in counts]
    best = int(np.argmax(evenness))
    return tried[best], counts[best]


def describe_splits(dataset: Dataset) -> str:
    """Return how many distinct rows of each label the splits have, in words."""
    labels = dataset.contract.label(1), dataset.contract.label(0)
    parts = [f"{split} {ones:,} and {zeros:,}" for split, (zeros, ones) in count_by_split(dataset).items()]
    return f"Distinct rows {labels[0]} and {labels[1]}: {'; '.join(parts)}."


def describe_shape(dataset: Dataset) -> list[str]:
    """Return sentences on the splits, and on what is unusual about the data set's shape and what to do about it."""
    return [describe_splits(dataset), *_few_rows(dataset), *_rare_label(dataset), *_copies(dataset)]


def _few_rows(dataset: Dataset) -> list[str]:
    counts = count_by_split(dataset)
    few = [split for split in SPLITS if min(counts[split]) < FEW_PER_LABEL]
    advice = f"with fewer than {FEW_PER_LABEL}, calibration, threshold and test results move a lot by chance"
    return [f"Few distinct rows of a label in {', '.join(few)}: {advice}. More rows help."] if few else []


def _rare_label(dataset: Dataset) -> list[str]:
    share = float(np.mean(dataset.y))
    if not 0 < min(share, 1 - share) < RARE:
        return []
    rare, common = (dataset.contract.label(code) for code in (int(share < 0.5), int(share >= 0.5)))
    words = (
        f"{min(share, 1 - share):.1%} of the rows are {rare}: calling all of them {common} is right about "
        f"{max(share, 1 - share):.1%}, so accuracy says little. Judge by AUC and cost, and give training what each "
        "error costs (cost_wrong_approval, cost_wrong_denial): the threshold follows from these, without class weights."
    )
    if share < RARE:
        words += (
            " With equal costs hardly anybody is approved, and the gate `reasons` demands that the approved have mean "
            "log-odds above the threshold: a higher cost_wrong_denial lowers it."
        )
    return [words]


def _copies(dataset: Dataset) -> list[str]:
    groups = number_distinct(dataset.X)
    copies = len(groups) - (groups.max(initial=-1) + 1)
    if not copies:
        return []
    ones = pd.Series(dataset.y).groupby(groups).transform("mean").to_numpy()
    words = (
        f"{copies:,} of {len(groups):,} rows equal an earlier one in all scored features: equal rows share a split and "
        "a fold, and count as one in intervals and p-values."
    )
    if mixed := int(np.sum((ones > 0) & (ones < 1))):
        words += f" {mixed:,} rows have equals with the other label: no model can tell these apart."
    return [words]
