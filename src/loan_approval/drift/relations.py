"""Compares how columns relate: swapped labels, or incomes of other rows, leave each column's distribution unchanged.

Pairs of columns are compared by their rank correlation (Spearman); of each column the most changed pair is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from loan_approval.drift.measures import FEWEST_ROWS, Measure, grade
from loan_approval.drift.statistics import FEWEST_EXPECTED
from serve.contract.feature import Feature

RELATION_WARNING, RELATION_SEVERE = 0.1, 0.3  # change of a rank correlation
SAMPLED_ROWS = 10_000  # of a table, evenly spread: enough to know a correlation to a hundredth


@dataclass(frozen=True)
class _Relations:
    """Of (c, c) pairs of columns: correlations, their variance times the rows, rows with both known, and how many rows
    are expected to differ from the commonest value in both.
    """

    rho: np.ndarray
    variance: np.ndarray
    rows: np.ndarray
    expected: np.ndarray


def measure_relations(
    reference: pd.DataFrame, current: pd.DataFrame, features: Sequence[Feature], target: str = ""
) -> list[Measure]:
    """Return one measure for each column with a pair to compare: its most changed pair, whose p-value is multiplied by
    the number of its pairs.

    features: columns of both tables, a category by each of its values.   target: one more column, of numbers.
    Columns so uneven that their correlation depends on fewer than five rows are not compared.
    """
    names = [(feature.name, label) for feature in features for label in _labels(feature)]
    names += [(target, target)] if target else []
    if len(names) < 2:
        return []
    before, now = (_relate(_numbers(table, features, target)) for table in (reference, current))
    with np.errstate(invalid="ignore", divide="ignore"):
        # The larger variance, since few rows may underestimate it.
        error = np.sqrt(np.maximum(before.variance, now.variance) * (1 / before.rows + 1 / now.rows))
        p_values = 2 * norm.sf(np.abs(now.rho - before.rho) / error)
    enough = (np.minimum(before.rows, now.rows) >= FEWEST_ROWS) & np.isfinite(p_values)
    enough &= np.minimum(before.expected, now.expected) >= FEWEST_EXPECTED
    subjects = np.array([name for name, _ in names])
    p_values[~enough | (subjects[:, None] == subjects)] = np.nan
    measures = []
    for subject in dict.fromkeys(subjects.tolist()):
        own = np.where((subjects == subject)[:, None], p_values, np.nan)
        if pairs := int(np.isfinite(own).sum()):
            one, other = np.unravel_index(np.nanargmin(own), own.shape)
            rho = before.rho[one, other], now.rho[one, other]
            measures.append(_describe(subject, (names[one][1], names[other][1]), rho, own[one, other] * pairs))
    return measures


def _describe(subject: str, labels: tuple[str, str], rho: tuple[float, float], p_value: float) -> Measure:
    before, now = map(float, rho)
    words = f"rank correlation of {' and '.join(labels)} from {before:.2f} to {now:.2f}"
    numbers = {"with": labels[1], "before": before, "now": now}
    level = grade(abs(now - before), RELATION_WARNING, RELATION_SEVERE)
    return Measure("relation", subject, min(1.0, float(p_value)), level, words, numbers)


def _labels(feature: Feature) -> list[str]:
    return [f"{feature.name}={value}" for value in _values(feature)] if feature.is_category else [feature.name]


def _values(feature: Feature) -> Sequence[str]:
    """Return the categories that become a column; of two, one is enough."""
    return feature.values[1:] if len(feature.values) == 2 else feature.values


def _numbers(table: pd.DataFrame, features: Sequence[Feature], target: str) -> np.ndarray:
    """Return (n, c) numbers, NaN where unknown."""
    chosen = np.unique(np.linspace(0, len(table) - 1, min(len(table), SAMPLED_ROWS)).astype(int))
    table, columns = table.iloc[chosen], []
    for feature in features:
        column = table[feature.name]
        if feature.is_category:
            columns += [np.where(column.isna(), np.nan, column == value).astype(float) for value in _values(feature)]
        else:
            columns.append(pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64))
    if target:
        columns.append(table[target].to_numpy(dtype=np.float64))
    return np.column_stack(columns)


def _relate(X: np.ndarray) -> _Relations:
    """Return the relations of the columns of (n, c) numbers.

    The variance is that of the correlation's influence function, which is also right for columns of few values, where
    Fisher's z is not. Source: Devlin, Gnanadesikan and Kettenring, "Robust
    estimation and outlier detection with correlation coefficients", 1975.
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
