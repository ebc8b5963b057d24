"""`sweep`: which plan it runs, and how it ends."""

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from loan_approval import cli, project


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Return the calls of a fake sweep, in which each trial of a plan with a sample of 1 fails."""
    calls = []
    failure = SimpleNamespace(trial="seed=1", reason="the kernel died")

    def run_sweep(dataset, plan, *rest):
        calls.append((dataset, plan, *rest))
        return SimpleNamespace(failures=(failure,) if plan.sample == 1 else ())

    monkeypatch.setattr("loan_approval.sweep.running.run_sweep", run_sweep)
    monkeypatch.setattr("loan_approval.sweep.leaderboard.print_board", lambda board: print("the board"))
    monkeypatch.setattr("loan_approval.project.REPORTS", tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # as it was, after the test
    return calls


def test_the_plan_beside_the_data_set_is_run_whole(calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["sweep", "--dataset", "boston", "--workers", "2"])
    ((dataset, plan, *rest),) = calls
    assert (dataset, plan.sample, rest) == ("boston", None, [project.REPORTS, 2, 1800])
    assert capsys.readouterr().out.startswith(f"the board\nLeaderboard: {tmp_path}/boston/sweep.html")


def test_a_failed_trial_fails_the_sweep(calls, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[[grid]]\nseed=[1,2]")
    with pytest.raises(SystemExit, match="SweepError: 1 of the trials failed:\n  seed=1: the kernel died"):
        cli.main(["sweep", "--plan", str(tmp_path / "plan.toml"), "--sample", "1"])


def test_a_missing_plan_is_named(calls, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ParameterError: .*plan\.toml: no such plan"):
        cli.main(["sweep", "--plan", str(tmp_path / "plan.toml")])


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_a_sample_that_is_no_number_of_trials_is_a_wrong_call(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["sweep", f"--sample={text}"])
    assert stopped.value.code == 2
    assert "expected a whole number above 0" in capsys.readouterr().err
