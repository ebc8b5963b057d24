"""Figures of a monitored window: approvals over time, drift, scores, and the trend from month to month."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from loan_approval.drift.drift import Finding
from loan_approval.drift.measures import PSI_SEVERE, PSI_WARNING
from loan_approval.monitor.trends import COUNTED
from loan_approval.plots.metrics import BLUE, GREY, ORANGE, Figure, make_axes, shares

LONGEST_LABEL = 44  # characters on a line beside a bar, so that the bars keep half of the width
_COLOURS = {"ok": BLUE, "warning": ORANGE, "severe": "#c53030"}  # by a finding's level


def plot_approvals(table: pd.DataFrame) -> Figure:
    """Return the share approved with its 95 % interval, by period, of `report.approvals_over_time`."""
    figure, axes = make_axes("Share approved over time", 9.0)
    ends = [table["approved"] - table["low"], table["high"] - table["approved"]]
    axes.errorbar(table["begin"], table["approved"], yerr=ends, marker="o", color=BLUE, capsize=2)
    axes.set(ylabel="share approved", ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    _name_periods(axes, table["begin"])
    return figure


def plot_volume(table: pd.DataFrame) -> Figure:
    """Return the number of decisions by period, of `report.approvals_over_time`."""
    figure, axes = make_axes("Decisions over time", 9.0, 3.0)
    width = (table["begin"].diff().min() if len(table) > 1 else pd.Timedelta(1, "min")) * 0.9
    axes.bar(table["begin"], table["decisions"], width=width, color=GREY)
    axes.set(ylabel="decisions")
    _name_periods(axes, table["begin"])
    return figure


def plot_stability(findings: Sequence[Finding], names: Mapping[str, str]) -> Figure:
    """Return the stability index of each feature and score, with the bounds of the levels.   names: of the features."""
    shown = [finding for finding in findings if "psi" in finding.numbers]
    sizes = {f.subject: max(f.numbers["psi"] - f.numbers["psi_by_chance"], 1e-4) for f in shown}
    shown.sort(key=lambda finding: sizes[finding.subject])
    height = 1.4 + 0.28 * len(shown)
    figure, axes = make_axes("Stability index (PSI), less what chance adds to it", 8.0, height)
    subjects = [fill(names.get(f.subject, f.subject), LONGEST_LABEL) for f in shown]
    colours = [_COLOURS[f.level] for f in shown]
    axes.barh(subjects, [sizes[f.subject] for f in shown], color=colours)
    for bound in (PSI_WARNING, PSI_SEVERE):
        axes.axvline(bound, color="k", linestyle=":", linewidth=0.8)
    axes.set(xscale="log", xlabel=f"dotted: warning {PSI_WARNING}, severe {PSI_SEVERE}")
    return figure


def plot_score_drift(scores: dict[str, tuple[np.ndarray, np.ndarray]], label: str) -> Figure:
    """Return the distribution of each version's scores, probabilities of `label`, reference against window."""
    figure, axes = make_axes("Scores: reference rows and decisions", 7.0)
    bins = np.linspace(0, 1, 41)
    for number, (name, (before, now)) in enumerate(scores.items()):
        colour = f"C{number}"
        axes.hist(before, bins, weights=shares(before), alpha=0.3, color=colour, label=f"{name}, reference")
        share, _ = np.histogram(now, bins, weights=shares(now))
        axes.plot(np.repeat(bins, 2)[1:-1], np.repeat(share, 2), color=colour, label=f"{name}, decisions")
    axes.set(xlabel=f"probability of {label}", ylabel="share", xlim=(0, 1), ylim=(0, None))
    axes.legend(fontsize=7)
    return figure


def plot_months(table: pd.DataFrame, most: int = 5) -> Figure:
    """Return the stability indices by month, of `trends.monthly`: of the columns that moved most."""
    figure, axes = make_axes("Stability index against the reference, by month", 7.0)
    x, indices = range(len(table)), table.drop(columns=COUNTED)
    for name in indices.max().nlargest(most).index:
        axes.plot(x, indices[name], marker="o", label=name)
    for bound in (PSI_WARNING, PSI_SEVERE):
        axes.axhline(bound, color="k", linestyle=":", linewidth=0.8)
    axes.set(ylabel="stability index (PSI)", ylim=(0, None))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)
    axes.set_xticks(x, table["month"], rotation=30)
    return figure


def _name_periods(axes: Axes, begins: pd.Series) -> None:
    axes.tick_params(axis="x", rotation=30)
    if len(begins) == 1:  # the axis of a single moment would span years
        axes.set_xticks(begins, begins.dt.strftime("%Y-%m-%d %H:%M"))
        axes.set_xlim(begins.iloc[0] - pd.Timedelta(1, "h"), begins.iloc[0] + pd.Timedelta(1, "h"))
