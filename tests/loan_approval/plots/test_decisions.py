import numpy as np
import pytest

from loan_approval.evaluation.costs import Costs
from loan_approval.plots import decisions

RNG = np.random.default_rng(0)
P = RNG.uniform(0.02, 0.98, 300)
Y = (RNG.random(300) < P).astype(int)
ROWS = {"calibrate rows": (Y, P), "test rows": (Y[:100], P[:100])}
COSTS = Costs(2.0, 1.0)
LABELS = ["Defaulted", "Repaid"]


def measured(**changed_north):
    """Return the document of one attribute with two groups, 80 % and 50 % of them approved."""
    rates = {"true_positive_rate": 0.8, "false_positive_rate": 0.2, "mean_probability": 0.5, "observed_rate": 0.5}
    north = {"group": "north", "rows": 100, "compared": True, "approval_rate": 0.8, **rates, **changed_north}
    return {
        "attribute": "region",
        "reference": "north",
        "groups": [north, {**north, "group": "south", "approval_rate": 0.5}],
    }


FIGURES = {
    "cost_curve": lambda: decisions.plot_cost_curve(ROWS, COSTS, 0.66, "expected cost"),
    "approval_rate": lambda: decisions.plot_approval_rate(ROWS, COSTS, 0.66, (0.6, 0.7)),
    "review_band": lambda: decisions.plot_review_band(Y, P, COSTS, 0.66, (0.6, 0.7)),
    "fairness": lambda: decisions.plot_fairness([measured()], LABELS),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_a_figure_that_can_be_saved(name, tmp_path):
    FIGURES[name]().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_every_plot_is_tested_above():
    names = {name for name in dir(decisions) if name.startswith("plot_")}
    assert {f"plot_{name}" for name in FIGURES} == names


def lines(axes):
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def test_the_cost_curve_has_a_line_for_each_set_of_rows_and_marks_the_chosen_threshold():
    (axes,) = FIGURES["cost_curve"]().axes
    drawn = lines(axes)
    assert list(drawn) == ["calibrate rows", "test rows", "chosen 0.660"]
    marks = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    cost = [np.mean(COSTS.of_decisions(y, p >= 0.66)) for y, p in ROWS.values()]
    assert marks == [[0.66, pytest.approx(each)] for each in cost]
    assert axes.get_ylabel() == "expected cost"


def test_the_approval_rate_falls_with_the_threshold_and_the_band_is_shown():
    (axes,) = FIGURES["approval_rate"]().axes
    rates = lines(axes)["test rows"].get_ydata()
    assert np.all(np.diff(rates) <= 0)
    assert [patch.get_label() for patch in axes.patches] == ["referred: 0.600 to 0.700"]
    (bare,) = decisions.plot_approval_rate(ROWS, COSTS, 0.66, (0.66, 0.66)).axes
    assert len(bare.patches) == 0


def test_the_band_shows_cost_and_share_referred_by_its_width():
    axes, other = FIGURES["review_band"]().axes
    drawn = lines(axes)
    assert list(drawn) == ["cost of decisions left", "chosen width 0.100"]
    share = other.lines[0].get_xydata()
    assert share[0].tolist() == [0, 0]
    assert np.interp(0.1, *share.T) == pytest.approx(np.mean((P >= 0.6) & (P < 0.7)))
    with_cost = decisions.plot_review_band(Y, P, Costs(2, 1, 0.1), 0.66, (0.6, 0.7)).axes[0]
    assert "cost of decisions and reviews" in lines(with_cost)


def test_the_figure_has_a_line_a_group_and_marks_four_fifths(tmp_path):
    figure = decisions.plot_fairness([measured()], LABELS)
    figure.savefig(tmp_path / "figure.png")
    rates, calibration = figure.axes
    assert [text.get_text() for text in rates.get_yticklabels()] == ["region: north (100)", "region: south (100)"]
    assert [line.get_xdata()[0] for line in rates.lines][-1] == pytest.approx(0.64)
    assert len(calibration.lines) == 2


def test_a_group_is_named_by_its_own_attribute():
    rates = decisions.plot_fairness([measured(), measured() | {"attribute": "sex"}], LABELS).axes[0]
    names = [text.get_text() for text in rates.get_yticklabels()]
    assert [name.split(":")[0] for name in names] == ["region", "region", "sex", "sex"]


def test_without_attributes_the_figure_is_empty(tmp_path):
    figure = decisions.plot_fairness([], LABELS)
    figure.savefig(tmp_path / "figure.png")
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.lines] == [0] * 5


def test_the_figure_leaves_out_what_is_null():
    figure = decisions.plot_fairness([measured(false_positive_rate=None)], LABELS)
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:3]] == [2, 2, 0]


@pytest.mark.parametrize("label", [0, 1])
def test_curves_of_a_single_label_are_shown(label, tmp_path):
    rows = {"calibrate rows": (np.full(10, label), np.full(10, 0.7))}
    decisions.plot_cost_curve(rows, COSTS, 0.66, "expected cost").savefig(tmp_path / "cost.png")
    decisions.plot_approval_rate(rows, COSTS, 0.66, (0.6, 0.7)).savefig(tmp_path / "rate.png")
    decisions.plot_review_band(*rows["calibrate rows"], COSTS, 0.66, (0.6, 0.7)).savefig(tmp_path / "band.png")


def test_groups_are_named_by_the_labels_in_the_data_and_not_as_past_decisions():
    rates, calibration = decisions.plot_fairness([measured()], LABELS).axes
    assert list(lines(rates))[:3] == ["approved", "of those Repaid in the data", "of those Defaulted in the data"]
    assert list(lines(calibration)) == ["mean probability", "Repaid in the data"]
