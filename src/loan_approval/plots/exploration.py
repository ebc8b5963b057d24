"""Figures of a data set: missing cells and their patterns, distributions by label, associations."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas.api.types import is_numeric_dtype

from loan_approval.data.wording import feature_names, in_words
from loan_approval.plots.metrics import BLUE, GREY, ORANGE, STEPS, Figure, Ticks, draw_bars, make_axes, shares
from serve.contract.contract import Contract
from serve.contract.feature import Feature

MOST_BARS = 30  # columns that one figure shows
MOST_NAMED = 12  # categories that a small figure names
FEW = 2  # different numbers, up to which they are named as categories are
LONGEST_NAME = 20  # characters of a line of a category's name in a small figure; it has two
LONGEST_TITLE = 34  # letters of one line above a small figure, which ends there


def plot_missing(frame: pd.DataFrame) -> Figure | None:
    """Return the share of missing cells of the columns that lack most, None where none is missing."""
    share = frame.isna().mean().sort_values()
    share = share[share > 0].tail(MOST_BARS)
    if share.empty:
        return None
    figure, axes = draw_bars("Missing cells", share.index, 100 * share)
    axes.set_xlabel("% of rows")
    return figure


def plot_missing_patterns(patterns: pd.DataFrame) -> Figure | None:
    """Return which columns are missing together, of `missing_patterns`: a line each pattern, a dot each column.

    None where fewer than two columns miss any.
    """
    sets = list(map(set, patterns["missing"]))
    columns = sorted(set().union(*sets))
    if len(columns) < 2:
        return None
    figure, axes = make_axes("Missing together", 4.0 + 0.35 * len(columns), 1.6 + 0.28 * len(sets))
    for place, names in enumerate(sets):
        axes.plot(range(len(columns)), [place] * len(columns), "o", color=GREY, alpha=0.25)
        axes.plot([columns.index(name) for name in sorted(names)], [place] * len(names), "o", color=ORANGE)
    words = [f"{rows:,} rows ({share:.1%})" for rows, share in zip(patterns["rows"], patterns["share"], strict=True)]
    axes.set_yticks(range(len(sets)), words, fontsize=8)
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=8)
    axes.invert_yaxis()
    return figure


def plot_associations(matrix: pd.DataFrame) -> Figure:
    """Return the table of `association_matrix` as colours, with the figures where there are few columns."""
    size = 2.2 + 0.38 * len(matrix)
    figure, axes = make_axes("How columns go together (0: not at all, 1: the same)", size + 1, size)
    picture = axes.imshow(matrix, cmap=colormaps["Blues"].resampled(STEPS), vmin=0, vmax=1)
    figure.colorbar(picture, shrink=0.7)
    axes.set_xticks(range(len(matrix)), matrix.columns, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(matrix)), matrix.index, fontsize=7)
    if len(matrix) <= 15:
        for (row, column), value in np.ndenumerate(matrix.to_numpy()):
            if not np.isnan(value):
                axes.text(
                    column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color="w" if value > 0.6 else "k"
                )
    return figure


def plot_distributions(
    frame: pd.DataFrame, contract: Contract, target: str, labels: Sequence[str], columns: int = 3
) -> Figure:
    """Return one histogram a column, split by the target's code, in the contract's words."""
    words = feature_names(contract)
    features = {words[feature.name]: feature for feature in contract.features}
    frame = in_words(frame, contract)
    names = [name for name in frame.columns if name != target]
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.4 * rows), layout="constrained")
    for axes, name in zip(figure.subplots(rows, columns, squeeze=False).flat, names, strict=False):
        feature = features.get(name) or Feature(name, "number")
        _draw_distribution(axes, frame[name].dropna(), feature, frame[target], labels)
        axes.set_title(fill(name, LONGEST_TITLE), fontsize=8)
    for axes in figure.axes[len(names) :]:
        axes.set_visible(False)
    # Beside the small figures, where it covers none of them.
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=8)
    return figure


def _draw_distribution(
    axes: Axes, column: pd.Series, feature: Feature, target: pd.Series, labels: Sequence[str]
) -> None:
    axes.tick_params(labelsize=7)
    numeric = is_numeric_dtype(column)
    if numeric and 0 < column.nunique() <= FEW:
        column, numeric = column.map(feature.show), False  # a 0 and a 1 have nothing between them
    if not numeric:
        _draw_categories(axes, column, target, labels)
        return
    low, high = (column.quantile([0.005, 0.995])) if column.nunique() > 20 else (column.min(), column.max())
    bins = np.linspace(low, high if high > low else low + 1, 25)
    for code, colour in ((0, ORANGE), (1, BLUE)):
        shown = column[target == code]
        axes.hist(shown, bins, weights=shares(shown), alpha=0.55, color=colour, label=labels[code])
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=bool((column % 1 == 0).all())))
    axes.xaxis.set_major_formatter(Ticks(feature.show))


def _draw_categories(axes: Axes, column: pd.Series, target: pd.Series, labels: Sequence[str]) -> None:
    values = column.value_counts().index[:MOST_NAMED]
    more = column.nunique() - len(values)
    for code, colour, shift in ((0, ORANGE, -0.2), (1, BLUE, 0.2)):
        share = column[target == code].value_counts(normalize=True).reindex(values, fill_value=0)
        axes.barh(np.arange(len(values)) + shift, 100 * share, 0.4, color=colour, label=labels[code])
    names = [fill(str(value), LONGEST_NAME, max_lines=2, placeholder="…") for value in values]
    axes.set_yticks(range(len(values)), names, fontsize=6)
    axes.set_xlabel("% of rows" + (f"; {more} rarer values not shown" if more else ""), fontsize=7)
    axes.invert_yaxis()
