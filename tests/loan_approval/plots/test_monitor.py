import numpy as np
import pandas as pd
import pytest

from loan_approval.drift.drift import Finding
from loan_approval.monitor.report import approvals_over_time
from loan_approval.notebooks.interactive import draw
from loan_approval.plots import monitor
from loan_approval.plots.monitor import plot_approvals, plot_months, plot_score_drift, plot_volume

P = np.random.default_rng(0).uniform(0.02, 0.98, 300)
TABLE = pd.DataFrame(
    {
        "begin": pd.to_datetime(["2026-11-01", "2026-11-02"]),
        "decisions": [10, 30],
        "approved": [0.5, 0.6],
        "low": [0.3, 0.5],
        "high": [0.7, 0.7],
    }
)
MONTHS = pd.DataFrame(
    {
        "month": ["2026-09", "2026-10", "2026-11"],
        "decisions": [100, 120, 90],
        "approved": [0.5, 0.6, 0.55],
        "income": [0.0, 0.05, 0.3],
        "age": [0.01, 0.0, np.nan],
        "score": [0.0, 0.01, 0.1],
    }
)
FIGURES = {
    "approvals": lambda: plot_approvals(TABLE),
    "volume": lambda: plot_volume(TABLE),
    "stability": lambda: monitor.plot_stability(
        [Finding("distribution", "Age", "warning", "", {"psi": 0.1, "psi_by_chance": 0.01})], {"Age": "Age (years)"}
    ),
    "score_drift": lambda: plot_score_drift({"version 1": (P, P / 2)}, "repaid"),
    "months": lambda: plot_months(MONTHS),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_a_figure_that_can_be_saved(name, tmp_path):
    FIGURES[name]().savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_every_plot_is_tested_above():
    names = {name for name in dir(monitor) if name.startswith("plot_")}
    assert {f"plot_{name}" for name in FIGURES} == names


def test_approvals_show_the_share_and_volume_the_number_of_decisions_by_period():
    (axes,), (volume,) = plot_approvals(TABLE).axes, plot_volume(TABLE).axes
    points, *_ = axes.containers[0].lines
    assert points.get_ydata().tolist() == [0.5, 0.6]
    assert [bar.get_height() for bar in volume.patches] == [10, 30]


def test_score_drift_names_reference_and_decisions_of_each_version():
    p = np.random.default_rng(0).random(50)
    (axes,) = plot_score_drift({"version 1": (p, p / 2)}, "repaid").axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["version 1, reference", "version 1, decisions"]


@pytest.mark.parametrize("rows", [1, 10, 37])
@pytest.mark.parametrize("code", [0, 1])
def test_approvals_of_one_kind_within_a_minute_are_shown(rows, code, tmp_path):
    times = pd.to_datetime(["2026-11-01T12:00:00Z"] * rows)
    made = pd.DataFrame({"time": times, "code": code, "band": ""})
    for plot in (plot_approvals, plot_volume):
        plot(approvals_over_time(made)).savefig(tmp_path / "figure.png")


def test_months_show_the_columns_that_moved_most_first():
    (moved,) = plot_months(MONTHS, most=2).axes
    assert [text.get_text() for text in moved.get_legend().get_texts()] == ["income", "score"]
    assert [text.get_text() for text in moved.get_xticklabels()] == ["2026-09", "2026-10", "2026-11"]


def test_a_single_month_without_distributions_is_shown(tmp_path):
    bare = MONTHS.head(1).assign(income=np.nan, age=np.nan, score=np.nan)
    plot_months(bare).savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0


@pytest.mark.parametrize("name", FIGURES)
def test_a_report_can_zoom_into_every_plot(name):
    assert draw(FIGURES[name]()) is not None


@pytest.mark.parametrize("plot", [plot_approvals, plot_volume])
def test_the_axis_of_a_single_period_spans_hours_and_no_years(plot):
    axes = plot(TABLE.head(1)).axes[0]
    low, high = axes.get_xlim()  # days
    assert 0 < high - low < 1
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{TABLE['begin'][0]:%Y-%m-%d %H:%M}"]
