"""Figures of the decisions: cost and approvals by threshold, the review band, rates and calibration by group."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from loan_approval.evaluation.costs import Costs, cost_curve, referral_curve
from loan_approval.evaluation.rates import FOUR_FIFTHS
from loan_approval.plots.metrics import BLUE, GREY, ORANGE, Figure, make_axes

Rows = Mapping[str, tuple[np.ndarray, np.ndarray]]  # name -> (n,) labels and probabilities
_THRESHOLDS = np.linspace(0.005, 0.995, 199)
_SCALES = np.linspace(0, 2, 41)
_STYLES = ({"color": BLUE}, {"color": ORANGE, "linestyle": "--"})
_RATES = {
    "approval_rate": ("approved", "o", BLUE),
    "true_positive_rate": ("of those {1} in the data", "^", GREY),
    "false_positive_rate": ("of those {0} in the data", "v", ORANGE),
}
_CALIBRATION = {
    "mean_probability": ("mean probability", "o", BLUE),
    "observed_rate": ("{1} in the data", "x", ORANGE),
}


def plot_cost_curve(rows: Rows, costs: Costs, threshold: float, cost_words: str) -> Figure:
    """Return the expected cost against the threshold; `rows` begins with those the threshold was chosen on."""
    title = f"Costs {costs.wrong_approval:g} (wrong approval) and {costs.wrong_denial:g} (wrong denial)"
    figure, axes = make_axes(title)
    thresholds = np.sort(np.append(_THRESHOLDS, threshold))
    for (name, (y, p)), style in zip(rows.items(), _STYLES, strict=False):
        cost, _ = cost_curve(y, p, thresholds, costs)
        axes.plot(thresholds, cost, label=name, **style)
        axes.plot(threshold, cost[np.searchsorted(thresholds, threshold)], marker="o", color=style["color"])
    axes.set(xlabel="threshold", ylabel=cost_words, ylim=(0, None))
    axes.yaxis.label.set_fontsize(8 if len(cost_words) > 40 else 10)
    _mark(axes, threshold)
    return figure


def plot_approval_rate(rows: Rows, costs: Costs, threshold: float, band: tuple[float, float]) -> Figure:
    """Return the share approved against the threshold, with the chosen one and, where there is one, the review band."""
    figure, axes = make_axes("Approval rate by threshold")
    for (name, (y, p)), style in zip(rows.items(), _STYLES, strict=False):
        axes.plot(_THRESHOLDS, cost_curve(y, p, _THRESHOLDS, costs)[1], label=name, **style)
    if band[0] < band[1]:
        axes.axvspan(*band, color=GREY, alpha=0.2, label=f"referred: {band[0]:.3f} to {band[1]:.3f}")
    axes.set(xlabel="threshold", ylabel="share approved", ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    _mark(axes, threshold)
    return figure


def plot_review_band(y: np.ndarray, p: np.ndarray, costs: Costs, threshold: float, band: tuple[float, float]) -> Figure:
    """Return expected cost and share referred by the width of the band about the threshold, on (n,) calibrate rows.

    The cost is of the model's own decisions, and of the reviews where a review's cost is known.
    """
    figure, axes = make_axes("Review band, calibrate rows")
    width, cost, share = referral_curve(y, p, threshold, band, _SCALES, costs)
    axes.plot(width, cost, color=BLUE, label="cost of decisions" + (" and reviews" if costs.review else " left"))
    axes.axvline(band[1] - band[0], color="k", linestyle="--", label=f"chosen width {band[1] - band[0]:.3f}")
    axes.set(xlabel="width of the band", ylabel="expected cost an application", ylim=(0, None))
    other = axes.twinx()
    other.plot(width, share, color=ORANGE, linestyle="-.", label="share referred")
    other.set(ylabel="share referred", ylim=(0, 1))
    other.yaxis.set_major_formatter(PercentFormatter(1))
    lines = [*axes.lines, *other.lines]
    axes.legend(lines, [line.get_label() for line in lines], loc="upper right", fontsize=8)
    return figure


def plot_fairness(fairness: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Figure:
    """Return rates and calibration by group of `measure_fairness`; a bar marks four fifths of the reference's rate.

    labels: of codes 0 and 1.
    """
    lines = [(measured, group) for measured in fairness for group in measured["groups"]]
    figure = Figure(figsize=(11, 1.6 + 0.3 * len(lines)), layout="constrained")
    rates, calibration = figure.subplots(1, 2, sharey=True)
    rates.set_title("Approval rates, test rows (bar: four fifths of the largest group's)")
    calibration.set_title("Calibration by group, test rows")
    for axes, series in ((rates, _RATES), (calibration, _CALIBRATION)):
        named = {key: (words.format(*labels), *style) for key, (words, *style) in series.items()}
        _draw(axes, [group for _, group in lines], named)
    for place, (measured, _) in enumerate(lines):
        rates_by_name = {each["group"]: each["approval_rate"] for each in measured["groups"] if each["compared"]}
        if len(rates_by_name) > 1:
            bar = FOUR_FIFTHS * rates_by_name[measured["reference"]]
            rates.plot([bar, bar], [place - 0.4, place + 0.4], color="k", linewidth=1)
    names = [f"{measured['attribute']}: {group['group']} ({group['rows']:,})" for measured, group in lines]
    rates.set_yticks(range(len(lines)), names)
    rates.set_ylim(max(len(lines), 1) - 0.5, -0.5)
    return figure


def _mark(axes: Axes, threshold: float) -> None:
    axes.axvline(threshold, color="k", linestyle=":", label=f"chosen {threshold:.3f}")
    axes.legend(fontsize=8)


def _draw(axes: Axes, groups: Sequence[Mapping[str, Any]], series: Mapping[str, tuple[str, str, str]]) -> None:
    for key, (label, marker, colour) in series.items():
        known = [(group[key], place) for place, group in enumerate(groups) if group[key] is not None]
        x, y = zip(*known, strict=True) if known else ((), ())
        axes.plot(x, y, marker, color=colour, label=label)
    axes.set(xlim=(-0.02, 1.02), xlabel="share of rows")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=3, frameon=False)
