"""How the columns of a table go together, and which are missing together."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from scipy.stats.contingency import crosstab

from serve.contract.numbers import count

MISSING_PATTERNS = 12  # shown, the most frequent first


def association_matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a symmetric table of associations between columns, 0 (none) to 1; NaN where fewer than 3 rows have both.

    Two numbers: |Spearman's rank correlation|. Two categories: Cramér's V, corrected for its bias in small tables. A
    category and a number: the correlation ratio (eta) of the number's ranks.
    Sources: Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", 2013; Fisher, "Statistical methods for
    research workers", 1925, on the correlation ratio.
    """
    names = list(frame.columns)
    matrix = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for a, b in combinations(names, 2):
        both = frame[[a, b]].dropna()
        matrix.loc[a, b] = matrix.loc[b, a] = _association(both[a], both[b]) if len(both) > 2 else np.nan
    return matrix


def missing_patterns(frame: pd.DataFrame, most: int = MISSING_PATTERNS) -> pd.DataFrame:
    """Return which columns are missing together: `missing` (a tuple of their names), `rows` and `share`, by rows."""
    gaps = frame.columns[frame.isna().any()]
    patterns = frame[gaps].isna().value_counts().head(most) if len(gaps) else pd.Series([len(frame)], [()])
    names, rows = [tuple(gaps[list(pattern)]) for pattern in patterns.index], patterns.to_numpy()
    return pd.DataFrame({"missing": names, "rows": rows, "share": rows / max(len(frame), 1)})


def describe_patterns(patterns: pd.DataFrame) -> str:
    """Return in one sentence whether cells are missing alone or together, of `missing_patterns`."""
    columns = patterns["missing"].map(len)
    if not columns.any():
        return "No row has an empty cell."
    together = patterns[columns > 1]
    if together.empty:
        return "No two columns are ever empty in the same row."
    most, rows = together.iloc[0], int(together["rows"].sum())
    return (
        f"Several columns are empty at once in {count(rows, 'row')}, most often {', '.join(most['missing'])} "
        f"({count(int(most['rows']), 'row')})."
    )


def describe_associations(matrix: pd.DataFrame, strong: float = 0.8) -> str:
    """Return in one sentence which pairs of columns say nearly the same."""
    pairs = [(matrix.loc[a, b], a, b) for a, b in combinations(matrix.columns, 2) if matrix.loc[a, b] >= strong]
    if pairs:
        shown = "; ".join(f"{a} and {b} ({value:.2f})" for value, a, b in sorted(pairs, reverse=True)[:5])
        return f"Nearly the same, from {strong} on: {shown}. Reasons share their effect among such features."
    values = matrix.where(~np.eye(len(matrix), dtype=bool)).stack().dropna()
    if values.empty:
        return "There are no two columns to compare."
    a, b = values.idxmax()
    return f"No two columns say nearly the same ({strong} or more); the closest are {a} and {b} ({values.max():.2f})."


def _association(a: pd.Series, b: pd.Series) -> float:
    are_numbers = a.dtype != object, b.dtype != object
    if a.nunique() < 2 or b.nunique() < 2:
        return 0.0
    if all(are_numbers):
        return abs(float(np.corrcoef(rankdata(a), rankdata(b))[0, 1]))
    if not any(are_numbers):
        return _cramers_v(a, b)
    category, number = (b, a) if are_numbers[0] else (a, b)
    ranks = pd.Series(rankdata(number))
    between = ranks.groupby(category.to_numpy()).transform("mean").var(ddof=0)
    return float(np.sqrt(between / ranks.var(ddof=0)))


def _cramers_v(a: pd.Series, b: pd.Series) -> float:
    counts = crosstab(a.to_numpy(dtype=str), b.to_numpy(dtype=str)).count
    n, (rows, columns) = counts.sum(), counts.shape
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi2 = np.sum((counts - expected) ** 2 / expected) / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows, columns = (k - (k - 1) ** 2 / (n - 1) for k in (rows, columns))
    return float(min(1.0, np.sqrt(phi2 / max(min(rows, columns) - 1, 1e-12))))
