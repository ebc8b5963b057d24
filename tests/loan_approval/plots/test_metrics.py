import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from loan_approval.evaluation.reliability import measure_reliability
from loan_approval.plots import metrics, ranking
from serve.contract.numbers import write_number

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 200)
P = np.clip(0.5 + 0.3 * (Y - 0.5) + RNG.normal(0, 0.15, 200), 0.01, 0.99)
LABELS = ["Denied", "Approved"]
FIGURES = {
    "confusion": lambda: metrics.plot_confusion(Y, P >= 0.5, LABELS, "calibrate"),
    "roc": lambda: metrics.plot_roc({"one": (Y, P), "two": (Y, 1 - P)}, LABELS, "calibrate"),
    "calibration": lambda: metrics.plot_calibration(measure_reliability(Y, P, seed=1), "approved", "calibrate"),
    "importance": lambda: metrics.plot_importance(pd.Series({"a": -0.2, "b": 0.1}), "Importance"),
    "scores": lambda: metrics.plot_scores(Y, P, 0.45, LABELS, "calibrate"),
    "learning_curve": lambda: metrics.plot_learning_curve([100, 200, 800], [0.6, 0.65, 0.7], [0.05, 0.03, 0.01]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_a_figure_that_can_be_saved(name, tmp_path):
    figure = FIGURES[name]()
    figure.savefig(tmp_path / "figure.png")
    assert isinstance(figure, Figure)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_every_plot_is_tested_above():
    assert {f"plot_{name}" for name in FIGURES} == {name for name in dir(metrics) if name.startswith("plot_")}


@pytest.mark.parametrize("name", ["confusion", "roc", "calibration", "scores"])
def test_a_title_names_the_rows_that_are_shown(name):
    title = FIGURES[name]().axes[0].get_title()
    assert "calibrate rows" in title
    assert "test" not in title


def test_the_confusion_matrix_shows_each_count_and_label():
    y, decided = np.repeat([0, 0, 1, 1], [1000, 2, 3, 4]), np.repeat([0, 1, 0, 1], [1000, 2, 3, 4])
    (axes,) = metrics.plot_confusion(y, decided, LABELS, "test").axes
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        **{(0, 0): "1,000", (1, 0): "2"},
        **{(0, 1): "3", (1, 1): "4"},
    }
    assert [text.get_text() for text in axes.get_yticklabels()] == LABELS


def test_a_class_that_is_never_decided_has_a_count_of_zero():
    (axes,) = metrics.plot_confusion(np.array([1, 1]), np.array([1, 1]), LABELS, "test").axes
    assert [text.get_text() for text in axes.texts] == ["0", "0", "0", "2"]


def test_each_roc_curve_goes_from_corner_to_corner():
    (axes,) = FIGURES["roc"]().axes
    assert [line.get_label() for line in axes.lines] == ["one", "two", "chance"]
    for line in axes.lines:
        assert line.get_xydata()[[0, -1]].tolist() == [[0, 0], [1, 1]]


def test_calibration_has_a_point_a_bin():
    reliability = measure_reliability(Y, P, seed=1, bins=5)
    axes = metrics.plot_calibration(reliability, "approved", "test").axes[0]
    assert len(axes.lines[1].get_xdata()) == 5
    assert [text.get_text() for text in axes.texts] == ["40"] * 5
    assert axes.get_title().endswith(f"ECE {reliability.ece}")
    assert np.mean(axes.lines[1].get_ydata()) == pytest.approx(np.mean(Y), abs=0.02)


def test_the_largest_importances_are_drawn_the_largest_on_top():
    importance = pd.Series({f"f{i}": 0.1 * i * (-1) ** i for i in range(30)})
    axes = metrics.plot_importance(importance, "Title", most=3).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-2.7, 2.8, -2.9])
    assert axes.get_title() == "Title"


def test_long_names_leave_room_for_the_bars(tmp_path):
    names = [f"Monthly housing costs in relation to the monthly income {i} (share of income)" for i in range(17)]
    figure = metrics.plot_importance(pd.Series(0.1, names), "Title")
    figure.savefig(tmp_path / "figure.png")  # lays it out; a layout that fails warns, and a warning is an error here
    (axes,) = figure.axes
    assert axes.get_tightbbox().x0 >= 0
    assert axes.get_position().width > 0.4


def test_scores_are_counted_by_label_and_the_threshold_is_named():
    axes = FIGURES["scores"]().axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == len(Y)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*LABELS, "threshold 0.450"]


def test_the_learning_curve_has_a_point_a_size_and_the_line_of_chance():
    axes = FIGURES["learning_curve"]().axes[0]
    curve, *_ = axes.containers[0].lines
    assert curve.get_xydata().tolist() == [[100, 0.6], [200, 0.65], [800, 0.7]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["chance"]


@pytest.mark.parametrize("rows", [1, 10, 200])
@pytest.mark.parametrize("label", [0, 1])
def test_plots_show_rows_of_a_single_label_with_equal_scores(rows, label, tmp_path):
    y, p = np.full(rows, label), np.full(rows, 0.7)
    for figure in (
        metrics.plot_calibration(measure_reliability(y, p, seed=1), "approved", "test"),
        metrics.plot_confusion(y, p >= 0.5, LABELS, "test"),
        metrics.plot_roc({"one": (y, p)}, LABELS, "test"),
        metrics.plot_scores(y, p, 0.45, LABELS, "test"),
    ):
        figure.savefig(tmp_path / "figure.png")


def test_a_figure_of_repaid_loans_speaks_of_their_labels_and_not_of_past_decisions():
    labels = ["Defaulted", "Repaid"]
    figures = [
        metrics.plot_roc({"one": (Y, P)}, labels, "test"),
        metrics.plot_calibration(measure_reliability(Y, P, seed=1), labels[1], "test"),
        metrics.plot_scores(Y, P, 0.45, labels, "test"),
        ranking.plot_ks(Y, P, labels, "test"),
    ]
    words = [f"{axes.get_xlabel()} {axes.get_ylabel()}" for figure in figures for axes in figure.axes]
    assert all("Repaid" in each for each in words)
    assert not any(word in each for each in words for word in ("denied", "approval"))


def test_numbers_along_an_axis_that_would_read_alike_have_all_their_digits():
    ticks = metrics.Ticks(write_number)
    assert ticks.format_ticks([0.25, 12345.0]) == ["0.25", "12,345"]
    assert ticks.format_ticks([2015.25, 2015.5, 2015.75]) == ["2,015.25", "2,015.5", "2,015.75"]
