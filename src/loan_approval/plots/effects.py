"""Figures of what moves a decision: effect curves, two features together, one applicant's reasons, slices."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy.special import expit

from loan_approval.evaluation.effects import Effect, Interaction
from loan_approval.evaluation.intervals import wilson_interval
from loan_approval.plots.metrics import BLUE, GREY, ORANGE, STEPS, Figure, Ticks, make_axes
from serve.contract.feature import Feature

THIN = 25  # curves of single rows that are drawn: each takes kilobytes of the page
LONGEST_NAME = 22  # characters of a category at a tick


def plot_effects(effects: Sequence[Effect], threshold: float, label: str, most: int = 8, columns: int = 3) -> Figure:
    """Return the mean curve of each of the strongest features over the curves of single rows, with the threshold.

    label: of code 1.
    """
    shown = effects[:most]
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(3.6 * columns, 2.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    for axes, effect in zip(grid, shown, strict=False):
        x = np.arange(len(effect.values)) if effect.feature.is_category else effect.values
        axes.plot(x, effect.curves[:THIN].T, color=GREY, alpha=0.25, linewidth=0.7)
        axes.plot(x, effect.mean, color=BLUE, linewidth=2)
        axes.axhline(threshold, color=ORANGE, linestyle=":")
        axes.set_title(effect.feature.title_with_unit("en"), fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_ylim(0, 1)
        _name_ticks(axes, effect.feature, "x")
    figure.axes[0].set_ylabel(f"probability of {label}", fontsize=8)
    return figure


def plot_interaction(interaction: Interaction, label: str) -> Figure:
    """Return the mean probability of `label`, code 1, by the values of two features."""
    (first, second), (x, y) = interaction.features, interaction.values
    figure, axes = make_axes(f"{first.title('en')} and {second.title('en')}", 6.0, 4.4)
    across = np.arange(len(x)) if first.is_category else x
    upwards = np.arange(len(y)) if second.is_category else y
    colours = {"cmap": colormaps["RdYlBu"].resampled(STEPS), "vmin": 0, "vmax": 1}
    mesh = axes.pcolormesh(across, upwards, interaction.mean.T, shading="nearest", **colours)
    figure.colorbar(mesh, label=f"mean probability of {label}")
    axes.set(xlabel=first.title_with_unit("en"), ylabel=second.title_with_unit("en"))
    _name_ticks(axes, first, "x")
    _name_ticks(axes, second, "y")
    return figure


def plot_reasons(features: Sequence[Feature], values: np.ndarray, base: float, label: str, most: int = 10) -> Figure:
    """Return one application's reasons as a waterfall, from the average background applicant to the application.

    features: the F scored ones.   values: (F,) what each adds to the log-odds of `label`, code 1.   base: log-odds.
    """
    order = np.argsort(-np.abs(values), kind="stable")
    steps = [(features[j].title("en"), float(values[j])) for j in order[:most]]
    if rest := float(values[order[most:]].sum()):
        steps.append((f"{len(order) - most} others", rest))
    figure, axes = make_axes("From the average approved applicant to this one", 7.5, 1.6 + 0.32 * len(steps))
    ends = base + np.cumsum([0.0, *(step for _, step in steps)])
    for place, (_, step) in enumerate(steps):
        axes.barh(place, step, left=ends[place], color=BLUE if step >= 0 else ORANGE, height=0.65)
        right = max(ends[place], ends[place + 1])
        axes.annotate(f"{step:+z.2f}", (right, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
        axes.plot([ends[place + 1]] * 2, [place - 0.33, place + 1.33], color=GREY, linewidth=0.8)
    axes.axvline(base, color=GREY, linestyle=":", label=f"average: {expit(base):.1%}")
    axes.axvline(ends[-1], color="k", linestyle="--", label=f"this application: {expit(ends[-1]):.1%}")
    axes.set_yticks(range(len(steps)), [name for name, _ in steps], fontsize=8)
    axes.invert_yaxis()
    axes.use_sticky_edges = False  # bars would end at the edge, and their numbers beyond it
    axes.margins(x=0.12)
    axes.set(xlabel=f"log-odds of {label} (blue: for, orange: against)")
    axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    axes.set_title(axes.get_title(), pad=28)
    return figure


def plot_slices(slices: pd.DataFrame, overall: float, most: int = 15) -> Figure:
    """Return the error rates of `slice_errors` with their 95 % intervals (Wilson), the worst first."""
    shown = slices.head(most)
    figure, axes = make_axes("Wrong decisions by slice", 7.5, 1.4 + 0.28 * len(shown))
    for place, each in enumerate(shown.itertuples()):
        low, high = wilson_interval(each.error_rate * each.rows, each.rows)
        axes.plot([low, high], [place, place], color=BLUE, linewidth=2)
        axes.plot(each.error_rate, place, "o", color=BLUE)
    axes.axvline(overall, color=GREY, linestyle=":", label=f"all rows: {overall:.1%}")
    names = [f"{each.feature}: {each.band} ({each.rows:,})" for each in shown.itertuples()]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel="share decided wrongly", xlim=(0, None))
    axes.legend(fontsize=8, loc="lower right")
    return figure


def describe_effects(effects: Sequence[Effect]) -> str:
    """Return in one sentence which feature moves the probability most, and how."""
    if not effects:
        return "The model has no feature."
    strongest = effects[0]
    low, high = (strongest.mean.argmin(), strongest.mean.argmax())
    return (
        f"{strongest.feature.title('en')} moves the mean probability most: from {strongest.mean.min():.0%} at "
        f"{strongest.feature.show(strongest.values[low])} to {strongest.mean.max():.0%} at "
        f"{strongest.feature.show(strongest.values[high])}."
    )


def describe_interaction(interaction: Interaction) -> str:
    """Return in one sentence whether two features act together."""
    names = " and ".join(feature.title("en") for feature in interaction.features)
    if interaction.strength < 0.1:
        return f"{names} add up: their joint effect is the sum of their own (H {interaction.strength:.2f})."
    return (
        f"{names} act together: {interaction.strength**2:.0%} of the variance of their joint effect is in none alone "
        f"(H {interaction.strength:.2f})."
    )


def _name_ticks(axes: Axes, feature: Feature, side: str) -> None:
    axis = axes.xaxis if side == "x" else axes.yaxis
    if feature.is_category:
        names = [_shorten(feature.show(value)) for value in feature.values]
        axis.set_ticks(range(len(names)), names, fontsize=7, rotation=30 if side == "x" else 0)
    else:
        axis.set_major_locator(MaxNLocator(4, integer=feature.is_whole))
        axis.set_major_formatter(Ticks(feature.show))


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
