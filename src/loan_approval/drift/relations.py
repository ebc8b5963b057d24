"""Compares how columns relate: swapped labels, or incomes of other rows, leave each column's distribution unchanged.

Pairs of columns are compared by their rank correlation (Spearman); of each column the most changed pair is reported.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from loan_approval.drift.measures import FEWEST_ROWS, Measure, grade
from loan_approval.drift.statistics import FEWEST_EXPECTED
from serve.contract.feature import Feature

RELATION_WARNING, RELATION_SEVERE = 0.1, 0.3  # change of a rank correlation
SAMPLED_ROWS = 10_000  # of a table, evenly spread: enough to know a correlation to a hundredth


class _Relations(NamedTuple):
    """Of (c, c) pairs of columns: the last are the rows expected to differ from the commonest value in both."""

    rho: np.ndarray
    variance: np.ndarray  # of one row
    rows: np.ndarray
    expected: np.ndarray


def measure_relations(
    reference: pd.DataFrame, current: pd.DataFrame, features: Sequence[Feature], target: str = ""
) -> list[Measure]:
    """Return each column's most changed pair, its p-value multiplied by the number of the column's pairs.

    features: columns of both tables, a category by each of its values.   target: one more column, of numbers.
    Columns so uneven that their correlation depends on fewer than five rows are not compared.
    """
    tables = [_columns(table, features, target) for table in (reference, current)]
    names = list(tables[0])
    if len(names) < 2:
        return []
    before, now = (_relate(np.column_stack(list(table.values()))) for table in tables)
    subjects = np.array([name for name, _ in names])
    p_values = np.where(subjects[:, None] == subjects, np.nan, _p_values(before, now))
    measures = []
    for subject in dict.fromkeys(subjects.tolist()):
        own = np.where((subjects == subject)[:, None], p_values, np.nan)
        if pairs := int(np.isfinite(own).sum()):
            one, other = np.unravel_index(np.nanargmin(own), own.shape)
            old, new = float(before.rho[one, other]), float(now.rho[one, other])
            pair = " and ".join(_name(features, *names[place]) for place in (one, other))
            words = f"rank correlation of {pair} from {old:z.2f} to {new:z.2f}"
            numbers = {"with": "=".join(filter(None, names[other])), "before": old, "now": new}
            level = grade(abs(new - old), RELATION_WARNING, RELATION_SEVERE)
            p_value = min(1.0, float(own[one, other] * pairs))
            measures.append(Measure("relation", subject, p_value, level, words, numbers))
    return measures


def _p_values(before: _Relations, now: _Relations) -> np.ndarray:
    """Return (c, c) p-values that the correlations are the same, NaN where there are too few rows to compare."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # The larger variance, since few rows may underestimate it.
        error = np.sqrt(np.maximum(before.variance, now.variance) * (1 / before.rows + 1 / now.rows))
        p_values = 2 * norm.sf(np.abs(now.rho - before.rho) / error)
    enough = (np.minimum(before.rows, now.rows) >= FEWEST_ROWS) & np.isfinite(p_values)
    enough &= np.minimum(before.expected, now.expected) >= FEWEST_EXPECTED
    return np.where(enough, p_values, np.nan)


def _columns(table: pd.DataFrame, features: Sequence[Feature], target: str) -> dict[tuple[str, str], np.ndarray]:
    """Return (n,) numbers, NaN where unknown, by feature and value; a category has a column for each of its values."""
    table = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), SAMPLED_ROWS)).astype(int))]
    columns = {}
    categories = {feature.name: feature.values for feature in features} | ({target: ()} if target else {})
    for name, values in categories.items():
        column = table[name]
        for value in values[1:] if len(values) == 2 else values:  # of two values one is enough
            columns[name, value] = np.where(column.isna(), np.nan, column == value).astype(float)
        if not values:
            columns[name, ""] = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return columns


def _name(features: Sequence[Feature], name: str, value: str) -> str:
    """Return the contract's words for a column of `_columns`."""
    feature = next((each for each in features if each.name == name), None)
    words = feature.title("en") if feature else name
    return f"{words} = {feature.say(value, 'en')}" if value and feature else words


def _relate(X: np.ndarray) -> _Relations:
    """Return the relations of the columns of (n, c) numbers.

    The variance is that of the correlation's influence function, which is also right for columns of few values, where
    Fisher's z is not. Source: Devlin et al., "Robust estimation and outlier detection with correlation coefficients",
    1975.
    """
    known = np.isfinite(X)
    ranks, rare = np.zeros(X.shape), np.zeros(X.shape[1])
    for column, rows in enumerate(known.T):
        _, place, counts = np.unique(X[rows, column], return_inverse=True, return_counts=True)
        if len(counts) > 1:
            rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # ties share their mean rank
            ranks[rows, column] = (rank - rank.mean()) / rank.std()
            rare[column] = len(place) - counts.max()
    weights = known.astype(np.float64)
    square, rows = ranks * ranks, _multiply(weights, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = _multiply(square, weights) / rows
        rho = _multiply(ranks, ranks) / rows / np.sqrt(spread * spread.T)
        third = _multiply(square * ranks, ranks) / rows
        fourth, both = _multiply(square * square, weights) / rows, _multiply(square, square) / rows
        variance = both - rho * (third + third.T) + rho**2 / 4 * (fourth + 2 * both + fourth.T)
        return _Relations(rho, variance, rows, np.outer(rare, rare) / rows)


def _multiply(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return A.T @ B of small tables; BLAS is slower, as its threads wait for each other."""
    return np.einsum("ni,nj->ij", A, B)
