"""A matplotlib figure as BokehJS draws it: judged by the document, which holds what the figure shows."""

import base64
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.reliability import measure_reliability
from loan_approval.notebooks.interactive import MOST_POINTS, MOST_TICKS, draw, library
from loan_approval.plots.decisions import plot_approval_rate, plot_cost_curve, plot_review_band
from loan_approval.plots.metrics import (
    make_axes,
    plot_calibration,
    plot_confusion,
    plot_importance,
    plot_roc,
    plot_scores,
)

RNG = np.random.default_rng(7)
P = RNG.random(3000)
Y = (RNG.random(3000) < P).astype(int)


def named(document: object, name: str) -> list[dict[str, Any]]:
    """Return the attributes of each model of a type, wherever it stands."""
    found = []
    if isinstance(document, dict):
        if document.get("name") == name:
            found.append(document.get("attributes", {}))
        document = list(document.values())
    if isinstance(document, list):
        found += [each for part in document for each in named(part, name)]
    return found


def drawn(figure: Figure) -> dict[str, Any]:
    return json.loads(draw(figure))


def legend(document: object) -> list[str]:
    return [item["label"]["value"] for item in named(document, "LegendItem")]


def test_roc_and_chance_are_lines_under_their_names() -> None:
    document = drawn(plot_roc({"model": (Y, P)}, ["denied", "approved"], "test"))

    assert legend(document) == ["model", "chance"]
    assert len(named(document, "Line")) >= 2
    assert len(named(document, "HoverTool")) == 1


def test_the_threshold_is_an_upright_line_over_the_whole_height() -> None:
    document = drawn(plot_cost_curve({"calibrate": (Y, P)}, Costs(1, 2), 0.4, "cost"))

    assert legend(document) == ["calibrate", "chosen 0.400"]


def test_a_band_is_drawn_and_named() -> None:
    document = drawn(plot_approval_rate({"calibrate": (Y, P)}, Costs(1, 2), 0.4, (0.3, 0.5)))

    # The zoom's own box has no edges yet.
    assert (0.3, 0.5) in [(band.get("left"), band.get("right")) for band in named(document, "BoxAnnotation")]
    assert "referred: 0.300 to 0.500" in legend(document)


def test_intervals_and_notes_are_kept() -> None:
    document = drawn(plot_calibration(measure_reliability(Y, P, 7), "approved", "test"))

    assert named(document, "Segment")
    assert len(named(document, "Label")) == 10


def test_bars_of_one_call_share_a_source() -> None:
    document = drawn(plot_scores(Y, P, 0.5, ["denied", "approved"], "test"))

    assert len(json.dumps(document)) < 40_000
    assert {"denied", "approved", "threshold 0.500"} <= set(legend(document))


def test_names_stand_beside_their_bars() -> None:
    document = drawn(plot_importance(pd.Series({"Age": 0.1, "Income": -0.2}), "Importance"))

    assert "Income" in json.dumps(document)


def test_a_legend_stands_once_and_below_the_axes() -> None:
    (plot,) = named(drawn(plot_roc({"model": (Y, P)}, ["denied", "approved"], "test")), "Figure")

    assert [named(plot[place], "Legend") != [] for place in ("below", "center")] == [True, False]
    assert len(named(plot, "Legend")) == 1
    assert [each for each in plot["center"] if each.keys() == {"id"}] == []  # a reference to the one below


def test_names_that_were_set_at_places_stand_there_too() -> None:
    figure, axes = make_axes("Places")
    axes.plot([0, 1], [0, 1], "o", alpha=0.25)
    axes.set_yticks([0, 1], ["first", "second"])

    assert "second" in json.dumps(drawn(figure))


def test_long_names_are_wrapped_and_their_lines_get_room() -> None:
    long = [f"Monthly housing costs relative to income: {i}" for i in range(12)]
    short, wrapped = (drawn(plot_importance(pd.Series(0.1, names), "x")) for names in (list("abcdefghijkl"), long))

    assert "Monthly housing costs\\nrelative to income: 3" in json.dumps(wrapped)
    heights = [named(each, "Figure")[0]["min_height"] for each in (short, wrapped)]
    assert heights[1] - heights[0] == 14 * 12


def test_an_axis_has_no_more_numbers_than_a_phone_has_room_for() -> None:
    tickers = named(drawn(plot_roc({"model": (Y, P)}, ["denied", "approved"], "test")), "BasicTicker")

    assert {each["desired_num_ticks"] for each in tickers} == {MOST_TICKS}


def test_a_long_line_is_thinned() -> None:
    figure, axes = make_axes("long")
    axes.plot(np.arange(100_000), np.arange(100_000))

    assert len(json.dumps(drawn(figure))) < 10_000 + 16 * 2 * MOST_POINTS


@pytest.mark.parametrize("kind", ["two axes", "a picture", "a circle", "no axes"])
def test_what_would_be_shown_incompletely_is_left_to_the_still(kind: str) -> None:
    figure, axes = make_axes("odd")
    match kind:
        case "two axes":
            figure = plot_review_band(Y, P, Costs(1, 1, 0.1), 0.5, (0.4, 0.6))
        case "a picture":
            figure = plot_confusion(Y, (P > 0.5).astype(int), ["denied", "approved"], "test")
        case "a circle":
            axes.add_patch(Circle((0, 0), 1))
        case "no axes":
            figure.clear()

    assert draw(figure) is None


def test_the_library_leaves_room_on_a_page_of_two_megabytes() -> None:
    assert 500_000 < len(library().encode()) < 1_400_000


def column(document: object, key: str) -> np.ndarray:
    """Return a column of the first source that has it."""
    sources = [dict(each["data"]["entries"]) for each in named(document, "ColumnDataSource")]
    values = next(source[key] for source in sources if key in source)
    return np.frombuffer(gzip.decompress(base64.b64decode(values["array"]["data"])), dtype=values["dtype"])


def test_bars_on_a_logarithmic_axis_begin_at_its_end() -> None:
    figure, axes = make_axes("Bars")
    axes.barh(["a", "b"], [0.01, 0.1])
    axes.set(xscale="log", xlim=(1e-3, 1))

    assert column(drawn(figure), "left").tolist() == [1e-3, 1e-3]


def test_points_at_dates_stand_at_the_dates_and_are_not_told_as_numbers() -> None:
    figure, axes = make_axes("Dates")
    axes.plot(pd.to_datetime(["2026-11-01", "2026-11-03"]), [0.2, 0.4], marker="o")
    axes.set(ylabel="share")
    document = drawn(figure)

    assert np.diff(column(document, "x")).tolist() == [2.0]
    assert [each["tooltips"] for each in named(document, "HoverTool")] == [[["share", "@y{0[.]000}"]]]


def test_the_page_and_not_the_plot_shows_the_title_and_long_labels_are_wrapped() -> None:
    figure, axes = make_axes("A title")
    axes.set(xlabel="a label that is much too long for the width of a phone")
    text = json.dumps(drawn(figure))

    assert "A title" not in text
    assert "a label that is much too long for\\nthe width of a phone" in text


def test_names_that_are_turned_along_an_axis_stay_turned() -> None:
    figure, axes = make_axes("Turned")
    axes.plot([0, 1], [0, 1], "o")
    axes.set_xticks([0, 1], ["first", "second"], rotation=60)
    axes.set_yticks([0, 1], ["low", "high"])
    (across,), (up,) = (named(drawn(figure), "Figure")[0][side] for side in ("below", "left"))

    assert across["attributes"]["major_label_orientation"] == pytest.approx(np.radians(60))
    assert "major_label_orientation" not in up["attributes"]
