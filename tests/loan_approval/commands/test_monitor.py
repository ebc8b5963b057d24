"""`monitor` and `demo-drift`: what they hand on, and when they exit with 1."""

import pytest

from loan_approval import cli, project


def test_the_window_names_the_report_and_only_set_options_are_passed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []
    result = {"words": ["all is well"], "verdict": "none"}
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_step", lambda *called: calls.append(called) or result)
    cli.main(["monitor", "--begin", "2026-11-01T00:00Z", "--version", "3"])
    texts = {"dataset": "loans", "begin": "2026-11-01T00:00Z", "version": "3"}
    texts["report"] = "04_monitor_2026-11-01T00-00Z"
    assert calls == [("04_monitor", texts, project.REPORTS, 1800)]
    assert capsys.readouterr().out == "all is well\n"


def test_severe_drift_exits_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    result = {"words": ["Age has drifted"], "verdict": "severe"}
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_step", lambda *_: result)
    with pytest.raises(SystemExit, match="severe drift"):
        cli.main(["monitor"])


def test_a_month_that_is_judged_otherwise_fails_the_demonstration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    months = [(True, "quiet"), (False, "drifted")]
    monkeypatch.setattr("loan_approval.pipeline.demo_drift.run_demo", lambda reports, rows: months[: rows // 10])
    cli.main(["demo-drift", "--rows", "10"])
    with pytest.raises(SystemExit, match="a month was not judged as expected"):
        cli.main(["demo-drift", "--rows", "20"])
    assert capsys.readouterr().out == "quiet\nquiet\ndrifted\n"
