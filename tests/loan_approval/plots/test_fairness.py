import pytest

from loan_approval.evaluation.fairness import FOUR_FIFTHS
from loan_approval.plots.fairness import plot_fairness


def measured(**changed_north):
    """Return the document of one attribute with two groups, 80 % and 50 % of them approved."""
    rates = {"true_positive_rate": 0.8, "false_positive_rate": 0.2, "mean_probability": 0.5, "observed_rate": 0.5}
    north = {"group": "north", "rows": 100, "compared": True, "approval_rate": 0.8, **rates, **changed_north}
    return {"attribute": "region", "groups": [north, {**north, "group": "south", "approval_rate": 0.5}]}


def test_the_figure_has_a_line_a_group_and_marks_four_fifths(tmp_path):
    figure = plot_fairness([measured()], FOUR_FIFTHS)
    figure.savefig(tmp_path / "figure.png")
    rates, calibration = figure.axes
    assert [text.get_text() for text in rates.get_yticklabels()] == ["region: north (100)", "region: south (100)"]
    assert [line.get_xdata()[0] for line in rates.lines][-1] == pytest.approx(0.64)
    assert len(calibration.lines) == 2


def test_without_attributes_the_figure_is_empty(tmp_path):
    figure = plot_fairness([], FOUR_FIFTHS)
    figure.savefig(tmp_path / "figure.png")
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.lines] == [0] * 5


def test_the_figure_leaves_out_what_is_null():
    figure = plot_fairness([measured(false_positive_rate=None)], FOUR_FIFTHS)
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:3]] == [2, 2, 0]
