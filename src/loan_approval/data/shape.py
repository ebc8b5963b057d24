"""What the shape of a data set means for training: few rows, a rare label, copies, few combinations, uneven splits.

Counts are of units, as `identify_rows` tells them: copies of a row are one row that stands several times.
"""

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset
from loan_approval.data.salts import count_labels, find_salt
from loan_approval.data.splits import SHARES, SPLITS, identify_rows, name_units, number_units
from loan_approval.errors import DataError
from serve.contract.contract import BY_ROW, BY_VALUES

FEWEST_PER_LABEL = 10  # units of each label a split must have, twice the folds of the cross-validation
FEW_PER_LABEL = 30  # with fewer, calibration, threshold and test results move a lot by chance
RARE = 0.05  # share of a label below which accuracy says little
MOST_COPIES = 0.05  # share of the rows that equal an earlier one, from which a split by row number is questioned
LARGE = 0.1  # share of the rows in one unit, from which it moves the sizes of the splits
IS_BY_ROW = (
    '`by = "row"` takes equal rows for different applications that happen to agree. Where they are copies of one '
    'application, a model is tested on what it has learnt, and every result is too good: expected `by = "values"` there'
)


def count_units(y: np.ndarray, groups: np.ndarray) -> list[int]:
    """Return how many units have label 0, and how many label 1. groups: (n,) as of `number_units`."""
    return [len(np.unique(groups[y == code])) for code in (0, 1)]


def count_by_split(dataset: Dataset) -> dict[str, list[int]]:
    """Return how many units of label 0 and of label 1 each split has."""
    return {split: count_units(dataset.rows(split)[1], dataset.units(split)) for split in SPLITS}


def check_labels(dataset: Dataset) -> None:
    """Raise DataError, with what to do, when a split has too few units of a label to learn or to judge from."""
    if words := too_few(dataset):
        raise DataError(f"{dataset.name}: {words}")


def too_few(dataset: Dataset) -> str:
    """Return which splits have too few units of a label, and what to do; "" where all have enough."""
    counts, by = count_by_split(dataset), dataset.contract.split_by
    short = [(n, split, code) for split in SPLITS for code, n in enumerate(counts[split]) if n < FEWEST_PER_LABEL]
    if not short:
        return ""
    named = [
        f"{n} {name_units(by, n)} of split {split} {'is' if n == 1 else 'are'} {dataset.contract.label(code)!r}"
        for n, split, code in short
    ]
    return f"{', '.join(named)}, expected at least {FEWEST_PER_LABEL}; {_remedy(dataset, min(short)[2])}"


def _remedy(dataset: Dataset, code: int) -> str:
    label, identities = dataset.contract.label(code), dataset.identities()
    total = len(set(identities[dataset.y == code]))
    if not total:
        return f"no row at all is {label!r}: there is nothing to learn, add rows of both labels"
    if dataset.contract.split_by == BY_VALUES and have_few_combinations(dataset.X, dataset.y):
        return f"most rows equal another, as there are few combinations of values: {_advise_by_row()}"
    salt = find_salt(identities, dataset.y, dataset.contract.split_salt)
    counts = count_labels(identities, dataset.y, salt)
    if min(map(min, counts.values())) >= FEWEST_PER_LABEL:
        splits = ", ".join(f"{counts[split][code]} {split}" for split in SPLITS)
        return f'split_salt = "{salt}" in contract.toml would split the {total} of them into {splits}'
    enough = round(1.5 * FEWEST_PER_LABEL / min(SHARES))
    units = name_units(dataset.contract.split_by)
    return f"{total} in all: add rows until there are about {enough} {units} of them, or more"


def _advise_by_row() -> str:
    return f'write [split] and below it by = "row" into contract.toml, if that is right: {IS_BY_ROW}'


def have_few_combinations(X: np.ndarray, y: np.ndarray) -> bool:
    """Return whether most of (n, F) rows equal another because few combinations of values can occur, not as copies.

    They can when most rows would equal another with each column shuffled by itself, or when most have an equal with
    the other label, which a copy has not. Rows that all stand equally often more than once are a file's copies.
    """
    units = number_units(identify_rows(X))
    if not _are_few(units) or np.gcd.reduce(np.bincount(2 * units + y)) > 1:
        return False
    shuffled = np.random.default_rng(0).permuted(X, axis=0)
    return _are_few(number_units(identify_rows(shuffled))) or 2 * np.sum(_are_mixed(units, y)) > len(y)


def _are_few(units: np.ndarray) -> bool:
    return 2 * (units.max(initial=-1) + 1) < len(units)


def _are_mixed(units: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (n,) whether a row has an equal with the other label."""
    ones = pd.Series(y).groupby(units).transform("mean").to_numpy()
    return (ones > 0) & (ones < 1)


def describe_splits(dataset: Dataset) -> str:
    """Return how many units of each label the splits have, in words."""
    labels = dataset.contract.label_text(1), dataset.contract.label_text(0)
    parts = [f"{split} {ones:,} and {zeros:,}" for split, (zeros, ones) in count_by_split(dataset).items()]
    units = name_units(dataset.contract.split_by)
    return f"{units[0].upper()}{units[1:]} {labels[0]} and {labels[1]}: {'; '.join(parts)}."


def describe_shape(dataset: Dataset) -> list[str]:
    """Return sentences on the splits, and on what is unusual about the data set's shape and what to do about it."""
    remarks = [*_few_rows(dataset), *_large_unit(dataset), *_rare_label(dataset), *_copies(dataset)]
    return [describe_splits(dataset), *remarks]


def _few_rows(dataset: Dataset) -> list[str]:
    refused = [f"Training will refuse these rows: {words}."] if (words := too_few(dataset)) else []
    counts, units = count_by_split(dataset), name_units(dataset.contract.split_by)
    few = [split for split in SPLITS if min(counts[split]) < FEW_PER_LABEL]
    advice = f"with fewer than {FEW_PER_LABEL}, calibration, threshold and test results move a lot by chance"
    remark = [f"Few {units} of a label in {', '.join(few)}: {advice}. More rows help."] if few else []
    return refused + remark


def _large_unit(dataset: Dataset) -> list[str]:
    by = dataset.contract.split_by
    share = np.bincount(number_units(dataset.identities())).max() / len(dataset.y)
    if share < LARGE or by == BY_ROW:
        return []
    what = "combination of values" if by == BY_VALUES else f"{by}"
    shares = ", ".join(f"{split} {np.mean(dataset.splits == split):.0%}" for split in SPLITS)
    hint = "" if by == BY_VALUES else " Does its cell mean that the value is missing? Then leave it empty."
    return [f"{share:.0%} of the rows have one {what} and stand in one split: {shares} of the rows.{hint}"]


def _rare_label(dataset: Dataset) -> list[str]:
    share = float(np.mean(dataset.y))
    if not 0 < min(share, 1 - share) < RARE:
        return []
    rare, common = (dataset.contract.label_text(code) for code in (int(share < 0.5), int(share >= 0.5)))
    words = (
        f"{min(share, 1 - share):.1%} of the rows are {rare}: calling all of them {common} is right about "
        f"{max(share, 1 - share):.1%}, so accuracy says little. Judge by AUC and cost, and give training what each "
        "error costs (cost_wrong_approval, cost_wrong_denial): the threshold follows from these. Class weights would "
        "distort the probabilities."
    )
    if share < RARE:
        words += (
            " With equal costs hardly anybody is approved, and the gate `reasons` demands that the approved have mean "
            "log-odds above the threshold: a higher cost_wrong_denial lowers it."
        )
    return [words]


def _copies(dataset: Dataset) -> list[str]:
    units, by = number_units(identify_rows(dataset.X)), dataset.contract.split_by
    copies = len(units) - (units.max(initial=-1) + 1)
    if not copies:
        return []
    words = f"Rows that equal an earlier one in all scored features: {copies:,} of {len(units):,}"
    few = have_few_combinations(dataset.X, dataset.y)
    if by == BY_VALUES:
        words += ". Equal rows share a split and a fold, and count as one in intervals and p-values."
    elif by == BY_ROW:
        words += f". {IS_BY_ROW}." + (
            " These look like copies: shuffled columns agree far less often."
            if copies > MOST_COPIES * len(units) and not few
            else ""
        )
    else:
        words += f"; only rows with the same {by} share a split and a fold."
    if mixed := int(np.sum(_are_mixed(units, dataset.y))):
        words += f" {mixed:,} rows have equals with the other label: no model can tell these apart."
    if few and by == BY_VALUES:
        words += (
            " Few combinations of values can occur, so that the sizes of the splits depend on the salt, and a model is "
            f"tested on combinations it never saw, which next month's rows are not: {_advise_by_row()}."
        )
    return [words]
