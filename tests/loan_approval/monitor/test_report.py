from datetime import timedelta

import numpy as np

from loan_approval.data.simulate import simulate
from loan_approval.monitor import report
from loan_approval.monitor.findings import compare_window
from loan_approval.monitor.window import window_scores
from loan_approval.plots.drift import plot_approvals, plot_score_drift, plot_stability
from tests.monitored import Monitored, load, write_review
from tests.prediction_logs import NOON, make_line, write_lines


def test_reviews_tell_how_often_a_person_decided_otherwise(loans: Monitored) -> None:
    ids = loans.decide(simulate(100, 5), loans.install())
    window = load(loans)
    assert report.describe_reviews(window).endswith("no review is recorded.")
    codes = window.decisions.set_index("decision_id")["code"]
    write_review(loans.log, ids[1], "decline" if codes[ids[1]] else "approve")  # the next one replaces it
    for number, decision in enumerate(ids[:4]):
        same = "approve" if codes[decision] else "decline"
        other = "decline" if codes[decision] else "approve"
        write_review(loans.log, decision, other if number == 0 else same)
    assert "Of 4 reviewed decisions a person decided 1 otherwise (25.0%" in report.describe_reviews(load(loans))


def test_the_shadow_is_told_where_there_is_one(loans: Monitored) -> None:
    (decision,) = loans.decide(simulate(1, 5), loans.install())
    assert report.describe_shadow(load(loans)) == []
    line = {"time": make_line({})["time"], "decision_id": decision, "model_version": "2", "model_sha256": "b" * 64}
    line |= {"probability": 0.4, "code": 0, "champion_sha256": "a" * 64, "champion_probability": 0.75}
    write_lines(loans.log, [line | {"champion_code": 1}], "shadow")
    words = " ".join(report.describe_shadow(load(loans)))
    assert words.startswith("version 2 in the shadow of aaaaaaaaaaaa: 1 applications")
    assert "100.0% [20.7%, 100.0%] denied by it alone" in words


def test_approvals_over_time_are_by_the_shortest_period_that_fits(loans: Monitored) -> None:
    scorer = loans.install()
    for hour in range(3):
        loans.decide(simulate(30, hour), scorer, begin=NOON + timedelta(hours=hour))
    table = report.approvals_over_time(load(loans).decisions)
    assert table["decisions"].tolist() == [30, 30, 30]
    assert np.all((table["low"] < table["approved"]) & (table["approved"] < table["high"]))
    one_minute = load(loans, end="2026-11-23T12:01").decisions
    assert report.approvals_over_time(one_minute)["decisions"].tolist() == [1]


def test_figures_are_drawn(loans: Monitored) -> None:
    loans.decide(simulate(50, 5), loans.install())
    window = load(loans)
    for figure in (
        plot_approvals(report.approvals_over_time(window.decisions)),
        plot_stability(compare_window(window)),
        plot_score_drift(window_scores(window)),
    ):
        assert figure._repr_png_()
