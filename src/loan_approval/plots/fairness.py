"""The figure of approval rates, errors and calibration by group."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from loan_approval.plots.metrics import BLUE, GREY, ORANGE, Figure

_RATES = {
    "approval_rate": ("approved", "o", BLUE),
    "true_positive_rate": ("of those approved in the data", "^", GREY),
    "false_positive_rate": ("of those denied in the data", "v", ORANGE),
}
_CALIBRATION = {
    "mean_probability": ("mean probability", "o", BLUE),
    "observed_rate": ("approved in the data", "x", ORANGE),
}


def plot_fairness(fairness: Sequence[Mapping[str, Any]], four_fifths: float) -> Figure:
    """Return approval rates, errors and calibration, one line a group of the documents of `measure_fairness`.

    four_fifths: the share of the attribute's highest compared approval rate that a small vertical line marks.
    """
    lines = [(found, group) for found in fairness for group in found["groups"]]
    figure = Figure(figsize=(11, 1.6 + 0.3 * len(lines)), layout="constrained")
    rates, calibration = figure.subplots(1, 2, sharey=True)
    rates.set_title("Approval rates, test rows (bar: four fifths of the highest)")
    calibration.set_title("Calibration by group, test rows")
    for axes, series in ((rates, _RATES), (calibration, _CALIBRATION)):
        _draw(axes, [group for _, group in lines], series)
    for place, (found, _) in enumerate(lines):
        compared = [group["approval_rate"] for group in found["groups"] if group["compared"]]
        if len(compared) > 1:
            bar = four_fifths * max(compared)
            rates.plot([bar, bar], [place - 0.4, place + 0.4], color="k", linewidth=1)
    names = [f"{found['attribute']}: {group['group']} ({group['rows']:,})" for found, group in lines]
    rates.set_yticks(range(len(lines)), names)
    rates.set_ylim(max(len(lines), 1) - 0.5, -0.5)
    return figure


def _draw(axes: Axes, groups: Sequence[Mapping[str, Any]], series: Mapping[str, tuple[str, str, str]]) -> None:
    for key, (label, marker, colour) in series.items():
        known = [(group[key], place) for place, group in enumerate(groups) if group[key] is not None]
        x, y = zip(*known, strict=True) if known else ((), ())
        axes.plot(x, y, marker, color=colour, label=label)
    axes.set(xlim=(-0.02, 1.02), xlabel="share of rows")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="lower left")
