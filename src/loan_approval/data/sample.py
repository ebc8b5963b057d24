"""Samples of rows and columns for pages and figures that take too long, or too much memory, for a whole data set."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset

MOST_ROWS, MOST_COLUMNS = 20_000, 12  # of a sweetviz page, which stays below 2 MB; its time grows faster yet


def sample_frame(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return at most `MOST_ROWS` rows of a table, drawn by a fixed seed, in their order, with these columns."""
    return frame.iloc[_draw(len(frame))][list(columns)]


def sample_dataset(dataset: Dataset, ranked: Sequence[str]) -> Dataset:
    """Return at most `MOST_ROWS` rows of a data set, and in its frame the first `MOST_COLUMNS` of the ranked features.

    The columns stay in contract order, the target last.   X keeps all scored features.
    """
    rows, kept = _draw(len(dataset.y)), set(ranked[:MOST_COLUMNS]) | {dataset.contract.target.name}
    frame = dataset.frame.iloc[rows][[name for name in dataset.frame if name in kept]].reset_index(drop=True)
    keys = dataset.keys[rows] if dataset.keys.size else dataset.keys
    return replace(dataset, frame=frame, X=dataset.X[rows], y=dataset.y[rows], splits=dataset.splits[rows], keys=keys)


def describe_sample(shown: pd.DataFrame, whole: pd.DataFrame, chosen_by: str) -> str:
    """Return in words which part of a table is shown; chosen_by: how the columns were chosen."""
    if shown.shape == whole.shape:
        return "Shown: all rows and columns."
    (rows, all_rows), (columns, all_columns) = zip(shown.shape, whole.shape, strict=True)
    of_rows = "all rows" if rows == all_rows else f"{rows:,} of {all_rows:,} rows (drawn by chance)"
    of_columns = "all columns" if columns == all_columns else f"{columns:,} of {all_columns:,} columns ({chosen_by})"
    return f"Shown: {of_rows} and {of_columns}."


def _draw(rows: int) -> np.ndarray:
    """Return the numbers of the rows drawn, ascending; all where they are few enough."""
    if rows <= MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
