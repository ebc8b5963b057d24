"""Figures of a model's scores. `split` names the rows shown: train, calibrate or test."""

import io
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import figure as matplotlib_figure
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter
from sklearn.metrics import ConfusionMatrixDisplay, roc_curve

from loan_approval.evaluation.reliability import Reliability
from serve.contract.numbers import EXACT

LONGEST_LINE = 44  # characters of a name beside the axes
STEPS = 10  # colours of a scale: a still keeps too few for a smooth one
BLUE, ORANGE, GREY = "#2b6cb0", "#c05621", "#718096"


class Figure(matplotlib_figure.Figure):
    """A figure that notebooks can show without pyplot, which keeps every figure in a global list."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=96)
        return picture.getvalue()


def make_axes(title: str, width: float = 5.5, height: float = 4.0) -> tuple[Figure, Axes]:
    """Return an empty figure in this project's style, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


class Ticks(Formatter):
    """The numbers of an axis as a function of a number and its digits writes them."""

    def __init__(self, show: Callable[..., str]) -> None:
        self._show = show

    def __call__(self, number: float, pos: int | None = None) -> str:
        """Return the text of a number."""
        return self._show(number)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the texts of an axis; with all their digits where two would read alike."""
        texts = [self._show(value) for value in values]
        return texts if len({*texts}) == len(texts) else [self._show(value, EXACT) for value in values]


def shares(values: np.ndarray | pd.Series) -> np.ndarray:
    """Return the weight of each of (n,) values in a histogram of shares; a density of no values is not defined."""
    return np.full(len(values), 1 / max(len(values), 1))


def plot_confusion(y: np.ndarray, decided: np.ndarray, labels: Sequence[str], split: str) -> Figure:
    """Return the confusion matrix; `labels` of codes 0 and 1."""
    figure, axes = make_axes(f"Confusion matrix, {split} rows", 4.5)
    style = {"ax": axes, "cmap": "Blues", "colorbar": False, "values_format": ","}
    ConfusionMatrixDisplay.from_predictions(y, decided, labels=[0, 1], display_labels=labels, **style)
    axes.set(xlabel="decided", ylabel="in the data")
    return figure


def plot_roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], labels: Sequence[str], split: str) -> Figure:
    """Return ROC curves; `curves` maps a name to (n,) labels and probabilities, `labels` of codes 0 and 1."""
    figure, axes = make_axes(f"ROC, {split} rows")
    for name, (y, p) in curves.items():
        if 0 < np.sum(y) < len(y):  # rows of a single label have no curve
            axes.plot(*roc_curve(y, p)[:2], label=name)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    axes.set(xlabel=f"of all {labels[0]}, share that is approved", ylabel=f"of all {labels[1]}, share that is approved")
    axes.legend(loc="lower right")
    return figure


def plot_calibration(reliability: Reliability, label: str, split: str) -> Figure:
    """Return the reliability diagram: a bin's share of `label`, code 1, with its 95 % interval and the rows in it."""
    figure, axes = make_axes(f"Calibration, {split} rows: ECE {reliability.ece}")
    bins = reliability.bins
    predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
    ends = [[each.observed - each.low for each in bins], [each.high - each.observed for each in bins]]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    axes.errorbar(predicted, observed, yerr=ends, marker="o", color=BLUE, capsize=2)
    for each in bins:
        axes.annotate(f"{each.rows:,}", (each.predicted, each.low), (3, -9), textcoords="offset points", fontsize=6)
    by_chance = f"by chance alone {reliability.ece_by_chance:.3f}; small: rows in a bin"
    axes.set(xlabel=f"probability of {label}\n({by_chance})", ylabel=f"share of {label} in the data")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return figure


def draw_bars(title: str, names: Iterable[str], values: Sequence[float], color: object = BLUE) -> tuple[Figure, Axes]:
    """Return a figure of a bar for each name, the last on top, and its axes; long names take several lines."""
    lines = [textwrap.fill(name, LONGEST_LINE) for name in names]
    figure, axes = make_axes(title, 8.0, 1.2 + 0.28 * len(lines) + 0.16 * "".join(lines).count("\n"))
    axes.barh(lines, values, color=color)
    return figure, axes


def plot_importance(importance: pd.Series, title: str, most: int = 20) -> Figure:
    """Return the largest importances; index = column names."""
    shown = importance.reindex(importance.abs().sort_values().index)[-most:]
    figure, axes = draw_bars(title, shown.index, shown, np.where(shown < 0, ORANGE, BLUE))
    axes.axvline(0, color="k", linewidth=0.8)
    return figure


def plot_scores(y: np.ndarray, p: np.ndarray, threshold: float, labels: Sequence[str], split: str) -> Figure:
    """Return the histogram of probabilities by label, with the threshold."""
    figure, axes = make_axes(f"Scores, {split} rows")
    bins = np.linspace(0, 1, 41)
    for code, colour in ((0, ORANGE), (1, BLUE)):
        axes.hist(p[y == code], bins, alpha=0.6, color=colour, label=labels[code])
    axes.axvline(threshold, color="k", linestyle="--", label=f"threshold {threshold:.3f}")
    axes.set(xlabel=f"probability of {labels[1]}", ylabel="rows")
    axes.legend()
    return figure


def plot_learning_curve(rows: Sequence[int], auc: Sequence[float], spread: Sequence[float]) -> Figure:
    """Return AUC over the number of rows learnt from, with one standard deviation over folds either side."""
    figure, axes = make_axes("Learning curve, held-out folds of the train rows")
    axes.errorbar(rows, auc, yerr=spread, color=BLUE, marker="o", capsize=4)
    axes.axhline(0.5, color=GREY, linestyle=":", label="chance")
    axes.set(xlabel="rows learnt from", ylabel="AUC", xlim=(0, None))
    axes.legend(loc="lower right")
    return figure
