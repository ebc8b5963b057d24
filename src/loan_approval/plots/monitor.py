"""Figures of a monitored window: approvals over time, drift, scores, and the trend from month to month."""

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from loan_approval.drift.drift import Finding
from loan_approval.drift.measures import PSI_SEVERE, PSI_WARNING
from loan_approval.plots.metrics import BLUE, GREY, ORANGE, Figure, make_axes, shares

_COLOURS = {"ok": BLUE, "warning": ORANGE, "severe": "#c53030"}  # by a finding's level
_NOT_DRAWN = ["month", "decisions", "approved", "low", "high", "probability"]


def plot_approvals(table: pd.DataFrame) -> Figure:
    """Return the share approved with its 95 % interval, and the number of decisions, by period."""
    figure, axes = make_axes("Decisions and approvals over time", 9.0)
    width = (table["begin"].diff().min() if len(table) > 1 else pd.Timedelta(1, "min")) * 0.9
    volume = axes.twinx()
    volume.bar(table["begin"], table["decisions"], width=width, color=GREY, alpha=0.3)
    volume.set_ylabel("decisions (bars)")
    axes.set_zorder(volume.get_zorder() + 1)  # points before bars
    axes.patch.set_visible(False)
    ends = [table["approved"] - table["low"], table["high"] - table["approved"]]
    axes.errorbar(table["begin"], table["approved"], yerr=ends, marker="o", color=BLUE, capsize=2)
    axes.set(ylabel="share approved", ylim=(0, 1))
    axes.tick_params(axis="x", rotation=30)
    return figure


def plot_stability(findings: list[Finding]) -> Figure:
    """Return the stability index of each feature and score, with the bounds of the levels."""
    shown = [finding for finding in findings if "psi" in finding.numbers]
    sizes = {f.subject: max(f.numbers["psi"] - f.numbers["psi_by_chance"], 1e-4) for f in shown}
    shown.sort(key=lambda finding: sizes[finding.subject])
    height = 1.4 + 0.28 * len(shown)
    figure, axes = make_axes("Population stability index, less what chance adds to it", 8.0, height)
    axes.barh([f.subject for f in shown], [sizes[f.subject] for f in shown], color=[_COLOURS[f.level] for f in shown])
    for bound in (PSI_WARNING, PSI_SEVERE):
        axes.axvline(bound, color="k", linestyle=":", linewidth=0.8)
    bounds = f"dotted: warning from {PSI_WARNING}, severe from {PSI_SEVERE}, where it is not chance"
    axes.set(xscale="log", xlabel=bounds)
    return figure


def plot_score_drift(scores: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Return the distribution of each version's scores, reference against window."""
    figure, axes = make_axes("Scores: reference rows and decisions", 7.0)
    bins = np.linspace(0, 1, 41)
    for number, (name, (before, now)) in enumerate(scores.items()):
        colour = f"C{number}"
        axes.hist(before, bins, weights=shares(before), alpha=0.3, color=colour, label=f"{name}, reference")
        axes.hist(
            now, bins, weights=shares(now), histtype="step", linewidth=1.5, color=colour, label=f"{name}, decisions"
        )
    axes.set(xlabel="probability of approval", yticks=[])
    axes.legend(fontsize=7)
    return figure


def plot_months(table: pd.DataFrame, most: int = 5) -> Figure:
    """Return share approved and stability indices by month, of `trends.monthly`: the columns that moved most."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    approvals, moved = figure.subplots(1, 2)
    x = range(len(table))
    ends = [table["approved"] - table["low"], table["high"] - table["approved"]]
    approvals.errorbar(x, table["approved"], yerr=ends, marker="o", color=BLUE, capsize=3)
    approvals.set(title="Share approved, 95 % interval", ylim=(0, 1))
    approvals.yaxis.set_major_formatter(PercentFormatter(1))
    indices = table.drop(columns=_NOT_DRAWN)
    for name in indices.max().nlargest(most).index:
        moved.plot(x, indices[name], marker="o", label=name)
    for bound in (PSI_WARNING, PSI_SEVERE):
        moved.axhline(bound, color="k", linestyle=":", linewidth=0.8)
    moved.set(title=f"Stability index against the reference (dotted: {PSI_WARNING}, {PSI_SEVERE})", ylim=(0, None))
    if moved.get_legend_handles_labels()[0]:
        moved.legend(fontsize=7)
    for axes in (approvals, moved):
        axes.set_xticks(x, table["month"], rotation=30)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
