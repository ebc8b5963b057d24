"""`replay`, `review`, `retain`, `erase`, `monitor` and `demo-drift`: what they pass on and print, and their exits."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from loan_approval import cli, project


def test_review_records_the_login_name_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def add(folder: Path, *values: str) -> dict[str, str]:
        assert folder == tmp_path
        return dict(zip(("decision_id", "outcome", "reviewer", "reason"), values, strict=True))

    monkeypatch.setattr("loan_approval.records.logged_decision.add_review", add)
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    review = ["review", "id", "--outcome", "decline", "--reason", "no income", "--log", str(tmp_path)]
    cli.main(review)
    cli.main([*review, "--reviewer", "rui"])
    assert capsys.readouterr().out == "id: decline by ana: no income\nid: decline by rui: no income\n"


def test_an_outcome_that_is_none_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["review", "id", "--outcome", "perhaps", "--reason", "x"])
    assert stopped.value.code == 2
    assert "invalid choice: 'perhaps'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("days", "words"), [([], "0 days:"), (["2026-01-01", "2026-01-03"], "2 days, 2026-01-01 to 2026-01-03:")]
)
def test_retain_says_what_it_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], days: list[str], words: str
) -> None:
    calls = []
    removed = days, 1200, 0
    monkeypatch.setattr("loan_approval.records.rewriting.retain", lambda *called: calls.append(called) or removed)
    cli.main(["retain", "--days", "20", "--log", str(tmp_path)])
    assert calls == [(tmp_path, 20, 30)]
    assert capsys.readouterr().out == f"{tmp_path}: removed {words} 1,200 decisions, 0 reviews\n"


def test_erase_reads_the_key_from_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the key\r\n"))
    monkeypatch.setattr("loan_approval.records.rewriting.load_secret", lambda folder: b"secret")
    calls = []
    monkeypatch.setattr("loan_approval.records.rewriting.erase", lambda *called: calls.append(called) or 2)
    cli.main(["erase", "--log", str(tmp_path)])
    assert calls == [(tmp_path, b"secret", "the key", 30)]
    assert "2 decisions erased" in capsys.readouterr().out


def test_a_replay_that_differs_exits_with_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = SimpleNamespace(differences=["probability"])
    monkeypatch.setattr("loan_approval.registry.stores.model_and_store", lambda dataset: ("m", None))
    monkeypatch.setattr("loan_approval.records.logged_decision.find_decision", lambda folder, decision_id: {})
    monkeypatch.setattr("loan_approval.records.replay.load_file", lambda line, store: b"")
    monkeypatch.setattr("loan_approval.records.replay.replay", lambda line, data: receipt)
    monkeypatch.setattr("loan_approval.records.replay.describe", lambda receipt: ["probability 0.4, logged 0.5"])
    with pytest.raises(SystemExit, match="it differs: probability"):
        cli.main(["replay", "id", "--log", str(tmp_path)])
    assert capsys.readouterr().out == "probability 0.4, logged 0.5\n"


def test_the_window_names_the_report_and_only_set_options_are_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVE_PREDICTION_LOG", str(tmp_path))
    calls = []
    result = {"words": ["all is well"], "verdict": "none"}
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_step", lambda *called: calls.append(called) or result)
    cli.main(["monitor", "--begin", "2026-11-01T00:00Z", "--version", "3"])
    texts = {"dataset": "loans", "begin": "2026-11-01T00:00Z", "version": "3"}
    texts["report"] = "04_monitor_2026-11-01T00-00Z"
    assert calls == [("04_monitor", texts, project.REPORTS, 1800)]
    assert capsys.readouterr().out == "all is well\n"


def test_severe_drift_exits_with_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SERVE_PREDICTION_LOG", str(tmp_path))
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
