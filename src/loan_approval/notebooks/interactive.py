"""Draws a matplotlib figure again with Bokeh, so that a page can show its values under the mouse and zoom.

Bokeh, as its script is a third of plotly's and needs no `eval`, which the pages' Content-Security-Policy forbids.
"""

import json
import math
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Annotation
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, PercentFormatter

LABEL_WIDTH, LABEL_HEIGHT = 34, 22  # characters of a line that a phone has room for, along and up an axis
NAME_WIDTH, MOST_TICKS = 26, 4  # characters of a line of a name, and numbers along an axis, likewise
MOST_POINTS = 400  # of a line: a page has no more pixels to show them on
_DASHES = {"-": "solid", "--": "dashed", ":": "dotted", "-.": "dashdot"}
_NO_POINTS = ("None", None, "", " ", "_", "|")  # the last two end an error bar
_NUMBERS = "0[.]000"


def library() -> str:
    """Return BokehJS, the script that draws what `draw` returns."""
    import bokeh  # slow to import

    return Path(bokeh.__file__).with_name("server").joinpath("static/js/bokeh.min.js").read_text(encoding="utf-8")


def draw(figure: Figure) -> str | None:
    """Return the JSON from which BokehJS draws a figure; None for a figure that it would show incompletely.

    As text, because its order matters, and notebooks are written with their keys sorted. Drawn are lines, error bars,
    bars, bands and notes of a figure that has one pair of axes.
    """
    if len(figure.axes) != 1 or not _is_understood(figure.axes[0]):
        return None
    from bokeh.embed import json_item
    from bokeh.plotting import figure as make_plot

    axes = figure.axes[0]
    width, height = (int(inches * 96) for inches in figure.get_size_inches())
    plot = make_plot(
        # The title is no part of it: the page shows it above, where it wraps.
        x_axis_label=textwrap.fill(axes.get_xlabel(), LABEL_WIDTH),
        y_axis_label=textwrap.fill(axes.get_ylabel(), LABEL_HEIGHT),
        x_range=axes.get_xlim(),
        y_range=axes.get_ylim(),
        x_axis_type=axes.get_xscale(),
        y_axis_type=axes.get_yscale(),
        width=width,
        height=height,
        min_height=_least_height(axes.yaxis),
        sizing_mode="scale_width",
        # No zoom by the wheel, which scrolls the page. As SVG, a legend of several lines would push the plot away.
        tools="pan,box_zoom,reset",
    )
    for axis, drawn in ((axes.xaxis, plot.xaxis[0]), (axes.yaxis, plot.yaxis[0])):
        _label_ticks(axis, drawn)
    _draw_patches(plot, axes)
    for bars in axes.collections:
        ends = np.array([segment for segment in bars.get_segments() if len(segment) == 2])
        if len(ends):
            start, end = ends[:, 0], ends[:, 1]
            plot.segment(*start.T, *end.T, color=to_hex(bars.get_color()[0]))
    for line in axes.lines:
        _draw_line(plot, axes, line)
    _add_notes(plot, axes)
    _finish(plot)
    return json.dumps(json_item(plot), separators=(",", ":"))


def _is_understood(axes: Axes) -> bool:
    shapes = all(isinstance(patch, Rectangle) for patch in axes.patches)
    scales = {axes.get_xscale(), axes.get_yscale()} <= {"linear", "log"}
    return shapes and scales and not axes.images and all(isinstance(c, LineCollection) for c in axes.collections)


def _draw_line(plot: Any, axes: Axes, line: Line2D) -> None:
    x, y = (np.asarray(values, dtype=float) for values in line.get_data(orig=False))  # dates as numbers
    transform = line.get_transform()
    if transform == axes.get_xaxis_transform(which="grid"):  # an upright line over the whole height
        y = np.array(axes.get_ylim())
    elif transform == axes.get_yaxis_transform(which="grid"):
        x = np.array(axes.get_xlim())
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(int)) if len(x) else []
    colour, named = to_hex(line.get_color()), _named(line.get_label())
    data = {"x": x[kept], "y": y[kept]}
    if line.get_linestyle() in _DASHES:
        dash = _DASHES[line.get_linestyle()]
        plot.line(source=data, color=colour, line_dash=dash, line_width=2, **named)
    if line.get_marker() not in _NO_POINTS:
        plot.scatter(source=data, color=colour, alpha=line.get_alpha() or 1, size=6, **named)


def _draw_patches(plot: Any, axes: Axes) -> None:
    from bokeh.models import BoxAnnotation

    across = axes.get_xaxis_transform(which="grid")
    for band in [patch for patch in axes.patches if patch.get_data_transform() == across]:
        box = band.get_bbox()
        style = {"fill_color": to_hex(band.get_facecolor()), "fill_alpha": band.get_alpha() or 1}
        plot.add_layout(BoxAnnotation(left=box.x0, right=box.x1, line_color=None, **style))
        _name_in_legend(plot, band)
    groups = [list(container.patches) for container in axes.containers if isinstance(container, BarContainer)]
    for group in filter(None, groups):  # what one call of `bar`, `barh` or `hist` drew
        boxes = np.array([patch.get_bbox().extents for patch in group])
        # A bar on a logarithmic axis begins at zero, which has no place there.
        boxes[:, :2] = np.maximum(boxes[:, :2], [_lowest(axes.xaxis), _lowest(axes.yaxis)])
        source = dict(zip(("left", "bottom", "right", "top"), boxes.T, strict=True))
        upright = np.ptp(boxes[:, 1]) == 0  # all stand on one line
        x, y = (boxes[:, [0, 2]].mean(axis=1), boxes[:, 3]) if upright else (_lengths(boxes), boxes[:, [1, 3]].mean(1))
        source |= {"x": x, "y": y, "colour": [to_hex(patch.get_facecolor()) for patch in group]}
        plot.quad(source=source, color="colour", alpha=group[0].get_alpha() or 1, **_named(group[0].get_label()))


def _lowest(axis: Axis) -> float:
    return min(axis.get_view_interval()) if axis.get_scale() == "log" else -np.inf


def _lengths(boxes: np.ndarray) -> np.ndarray:
    return np.where(boxes[:, 0] < 0, boxes[:, 0], boxes[:, 2])


def _name_in_legend(plot: Any, patch: Patch) -> None:
    if named := _named(patch.get_label()):
        style = {"color": to_hex(patch.get_facecolor()), "alpha": patch.get_alpha() or 1}
        plot.scatter([], [], marker="square", size=10, **style, **named)


def _named(label: object) -> dict[str, str]:
    """Return the option that puts a label into the legend; matplotlib's own labels begin with an underscore."""
    return {} if not label or str(label).startswith("_") else {"legend_label": str(label)}


def _label_ticks(axis: Axis, drawn: Any) -> None:
    from bokeh.models import FixedTicker, NumeralTickFormatter

    if isinstance(axis.get_major_formatter(), PercentFormatter):
        drawn.formatter = NumeralTickFormatter(format="0%")
    elif _has_names(axis):
        places = [float(place) for place in axis.get_majorticklocs()]
        names = _names(axis)
        drawn.ticker = FixedTicker(ticks=places)
        drawn.major_label_overrides = dict(zip(places, names, strict=True))
        turned = max((label.get_rotation() for label in axis.get_majorticklabels()), default=0)
        drawn.major_label_orientation = math.radians(turned) or "horizontal"
    elif not len(axis.get_majorticklocs()):
        drawn.visible = False
    if not drawn.major_label_overrides:
        drawn.ticker.desired_num_ticks = MOST_TICKS


def _least_height(axis: Axis) -> int:
    """Return the pixels that a phone needs for the names up an axis, or for its numbers and its label."""
    if not _has_names(axis):
        return 220
    lines = [name.count("\n") + 1 for name in _names(axis)]
    return 130 + 14 * len(lines) * max(lines, default=1)


def _names(axis: Axis) -> list[str]:
    texts = axis.get_major_formatter().format_ticks(axis.get_majorticklocs())
    return [textwrap.fill(text, NAME_WIDTH) for text in texts]


def _has_names(axis: Axis) -> bool:
    """Return whether names stand in place of numbers, as `set_xticks(places, names)` makes them."""
    kind = axis.get_major_formatter()
    return (
        axis.have_units()
        or isinstance(kind, FixedFormatter)
        or (isinstance(kind, FuncFormatter) and isinstance(axis.get_major_locator(), FixedLocator))
    )


def _add_notes(plot: Any, axes: Axes) -> None:
    from bokeh.models import Label

    for note in axes.texts:
        x, y = note.xy if isinstance(note, Annotation) else note.get_position()
        plot.add_layout(Label(x=x, y=y, text=note.get_text(), x_offset=3, y_offset=-12, text_font_size="8px"))


def _finish(plot: Any) -> None:
    """Add what the mouse shows, and colours that are read on a light and on a dark page."""
    from bokeh.models import HoverTool

    # Where names or dates stand in place of numbers, the number says nothing.
    axes = [("x", plot.xaxis[0]), ("y", plot.yaxis[0])]
    columns = [
        (axis.axis_label or key, f"@{key}{{{_NUMBERS}}}") for key, axis in axes if not axis.major_label_overrides
    ]
    plot.add_tools(HoverTool(tooltips=columns, line_policy="nearest"))
    plot.toolbar.logo, plot.toolbar.autohide = None, True
    plot.background_fill_color = plot.border_fill_color = None
    plot.outline_line_color, plot.grid.grid_line_alpha = None, 0.4
    if plot.legend:
        legend = plot.legend[0]
        legend.border_line_color, legend.background_fill_color = None, None
        legend.label_text_font_size, legend.click_policy = "11px", "hide"
        plot.center = [each for each in plot.center if each is not legend]
        plot.add_layout(legend, "below")  # so that it covers nothing
        plot.height += 22 * len(legend.items)
        plot.min_height += 22 * len(legend.items)
