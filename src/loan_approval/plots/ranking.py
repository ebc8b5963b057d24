"""Figures of how a model ranks: precision and recall, gains and lift, KS."""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from loan_approval.evaluation.ranking import ks
from loan_approval.plots.metrics import BLUE, GREY, ORANGE, Figure, make_axes


def plot_precision_recall(y: np.ndarray, p: np.ndarray, threshold: float, label: str, split: str) -> Figure:
    """Return precision over recall for label 1, with the point of the chosen threshold and the share of 1s."""
    figure, axes = make_axes(f"Precision and recall, {split} rows")
    if np.any(y == 1):
        precision, recall, _ = precision_recall_curve(y, p)
        axes.plot(recall, precision, color=BLUE)
        decided = p >= threshold
        if decided.any():
            point = np.sum(decided & (y == 1))
            axes.plot(point / np.sum(y), point / np.sum(decided), "o", color=ORANGE, label=f"threshold {threshold:.3f}")
    axes.axhline(np.mean(y), color=GREY, linestyle=":", label=f"chance: {np.mean(y):.1%} are {label}")
    axes.set(xlabel=f"recall: of all {label}, share that is approved", ylabel=f"precision: of the approved, {label}")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left", fontsize=8)
    return figure


def plot_gains(table: pd.DataFrame, zeros: str, split: str) -> Figure:
    """Return gain and lift of `gains_table`; `zeros` names the rows of label 0."""
    figure, axes = make_axes(f"Gains and lift, {split} rows", 6.5)
    rows = np.concatenate([[0], np.cumsum(table["rows"])]) / max(table["rows"].sum(), 1)
    gain, low, high = (100 * np.concatenate([[0], table[name]]) for name in ("gain", "gain_low", "gain_high"))
    ends = np.nan_to_num([gain - low, high - gain]).clip(0)
    axes.errorbar(100 * rows, gain, yerr=ends, color=BLUE, marker="o", capsize=2, label=f"share of all {zeros}")
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", label="chance")
    axes.set(xlabel="% of applications, the lowest scores first", ylabel=f"% of all {zeros}", ylim=(0, 102))
    other = axes.twinx()
    other.bar(100 * (rows[:-1] + rows[1:]) / 2, table["lift"], 80 * np.diff(rows), color=ORANGE, alpha=0.3)
    other.set(ylabel="lift: times as many as by chance (bars)", ylim=(0, None))
    axes.set_zorder(other.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.legend(loc="lower right", fontsize=8)
    return figure


def plot_ks(y: np.ndarray, p: np.ndarray, labels: list[str], split: str) -> Figure:
    """Return the cumulative scores of both labels, and where they are furthest apart; `labels` of codes 0 and 1."""
    figure, axes = make_axes(f"KS, {split} rows")
    distance, at = ks(y, p)
    if not np.isnan(distance):
        false_rate, true_rate, score = roc_curve(y, p, drop_intermediate=False)
        score = np.minimum(score, 1)
        axes.plot(score, 1 - false_rate, color=ORANGE, label=labels[0])
        axes.plot(score, 1 - true_rate, color=BLUE, label=labels[1])
        ends = [float(1 - np.mean(p[y == code] >= at)) for code in (0, 1)]
        axes.plot([at, at], ends, color="k", linestyle="--", label=f"KS {distance:.3f} at {at:.3f}")
        axes.legend(loc="upper left", fontsize=8)
    axes.set(
        xlabel=f"probability of {labels[1]}", ylabel="share of rows with a lower score", xlim=(0, 1), ylim=(0, 1.02)
    )
    return figure
