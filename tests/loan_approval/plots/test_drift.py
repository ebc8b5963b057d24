import numpy as np
import pandas as pd

from loan_approval.plots.drift import plot_approvals, plot_score_drift

TABLE = pd.DataFrame(
    {
        "begin": pd.to_datetime(["2026-11-01", "2026-11-02"]),
        "decisions": [10, 30],
        "approved": [0.5, 0.6],
        "low": [0.3, 0.5],
        "high": [0.7, 0.7],
    }
)


def test_approvals_show_the_share_by_period_before_the_number_of_decisions():
    axes, volume = plot_approvals(TABLE).axes
    points, *_ = axes.containers[0].lines
    assert points.get_ydata().tolist() == [0.5, 0.6]
    assert [bar.get_height() for bar in volume.patches] == [10, 30]
    assert axes.get_zorder() > volume.get_zorder()


def test_score_drift_names_reference_and_decisions_of_each_version():
    p = np.random.default_rng(0).random(50)
    (axes,) = plot_score_drift({"version 1": (p, p / 2)}).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["version 1, reference", "version 1, decisions"]
