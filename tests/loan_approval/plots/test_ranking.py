import numpy as np
import pytest

from loan_approval.evaluation.ranking import gains_table, ks
from loan_approval.plots import ranking

RNG = np.random.default_rng(0)
P = RNG.random(300)
Y = (RNG.random(300) < P).astype(int)
FIGURES = {
    "precision_recall": lambda y, p: ranking.plot_precision_recall(y, p, 0.5, "Approved", "test"),
    "gains": lambda y, p: ranking.plot_gains(gains_table(y, p), "denied", "test"),
    "ks": lambda y, p: ranking.plot_ks(y, p, ["Denied", "Approved"], "test"),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("y", [Y, np.zeros(300, int), np.ones(300, int)], ids=["both", "zeros", "ones"])
def test_a_plot_is_a_figure_that_can_be_saved_whatever_the_labels(name, y, tmp_path):
    figure = FIGURES[name](y, P)
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "test rows" in figure.axes[0].get_title()


def test_every_plot_is_tested_above():
    assert {f"plot_{name}" for name in FIGURES} == {name for name in dir(ranking) if name.startswith("plot_")}


def test_the_chosen_threshold_is_a_point_of_the_curve():
    axes = FIGURES["precision_recall"](Y, P).axes[0]
    point = next(line for line in axes.lines if line.get_label() == "threshold 0.500").get_xydata()[0]
    decided = P >= 0.5
    assert point.tolist() == pytest.approx([np.sum(decided & (Y == 1)) / np.sum(Y), np.mean(Y[decided])])


def test_the_ks_line_joins_the_curves_where_they_are_furthest_apart():
    axes = FIGURES["ks"](Y, P).axes[0]
    distance, at = ks(Y, P)
    line = next(line for line in axes.lines if line.get_label().startswith("KS"))
    assert line.get_label() == f"KS {distance:.3f} at {at:.3f}"
    assert np.ptp(line.get_ydata()) == pytest.approx(distance)
