"""`explore`, `train`, `validate`, `check-data`, `run` and `sweep`: what they pass on, and when they exit with 1."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loan_approval import cli, project


@pytest.fixture
def run_step(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple]]:
    """Return a function that runs a command with a fake pipeline that gives `result`, and returns the calls of it."""

    def run(*arguments: str, **result: Any) -> list[tuple]:
        calls = []
        monkeypatch.setattr("loan_approval.pipeline.pipeline.run_step", lambda *called: calls.append(called) or result)
        cli.main(list(arguments))
        return calls

    return run


@pytest.mark.parametrize(
    ("arguments", "notebook", "texts"),
    [
        ("explore", "01_explore", {"dataset": "loans"}),
        ("train --dataset boston --model-name xgboost", "02_train", {"dataset": "boston", "model_name": "xgboost"}),
        ("train -p seed=8 -p calibration=a=b", "02_train", {"dataset": "loans", "seed": "8", "calibration": "a=b"}),
        ("validate --version 3", "03_validate", {"dataset": "loans", "version": "3"}),
    ],
)
def test_options_become_the_notebooks_parameters(run_step, arguments: str, notebook: str, texts: dict) -> None:
    assert run_step(*arguments.split(), "--time-limit=60") == [(notebook, texts, project.REPORTS, 60)]


def test_a_failed_verdict_exits_with_its_reasons(run_step) -> None:
    gates = [{"passed": True, "words": "fine"}, {"passed": False, "words": "costs more"}]
    with pytest.raises(SystemExit, match=r"^m version 3 failed: costs more$"):
        run_step("validate", verdict="failed", gates=gates, name="m", version="3")


@pytest.mark.parametrize("command", ["explore", "train", "validate", "check-data", "monitor"])
def test_with_json_the_result_is_all_that_standard_output_holds(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = {"level": "ok", "kind": "reference", "subject": "s", "words": "é"}
    result = {"verdict": "sound", "findings": [finding], "words": ["no drift"]}

    def step(*_: Any) -> dict[str, Any]:
        print("on the way")
        return result

    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_step", step)
    cli.main([command, "--json", *(["--log", str(tmp_path)] if command == "monitor" else [])])
    said = capsys.readouterr()
    assert json.loads(said.out) == result
    assert said.err.startswith("on the way\n")


def test_paths_of_the_data_check_are_from_the_projects_root(
    run_step, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside, outside = str(project.ROOT / "README.md"), str(tmp_path / "elsewhere.csv")
    Path(outside).touch()
    calls = run_step("check-data", "--csv", inside, "--reference", outside, verdict="sound", findings=[])
    assert calls[0][1] == {"dataset": "loans", "csv": "README.md", "reference_csv": outside}
    assert capsys.readouterr().out == "loans: sound\n"


def test_a_breaking_data_check_exits_with_its_count(run_step, capsys: pytest.CaptureFixture[str]) -> None:
    levels = {"Age": "severe", "rows": "ok"}
    findings = [{"level": level, "kind": "k", "subject": name, "words": "w"} for name, level in levels.items()]
    with pytest.raises(SystemExit, match=r"1 severe finding$"):
        run_step("check-data", verdict="breaking", findings=findings)
    assert capsys.readouterr().out == "severe   k: Age: w\nloans: breaking\n"


def test_run_takes_its_port_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_everything", lambda *called: calls.append(called))
    monkeypatch.setenv("PORT", "8123")
    cli.main(["run", "--dataset", "boston", "--preprocessor-name", "median_imputer"])
    assert calls == [("boston", {"preprocessor_name": "median_imputer"}, project.REPORTS, 8123)]


def test_a_parameter_without_a_value_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", "-p", "seed"])
    assert stopped.value.code == 2
    assert "'seed': expected NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check-data", "explore", "train", "validate", "run"])
def test_an_unknown_data_set_is_refused_with_the_names_there_are(command: str) -> None:
    with pytest.raises(SystemExit, match="DataError: no data set 'lons', expected boston, loans"):
        cli.main([command, "--dataset", "lons"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "-p", "sede=3"], "ParameterError: .*no parameter 'sede', did you mean 'seed'"),
        (["train", "-p", "seed=many"], "ParameterError: .*seed"),
        (["explore", "-p", "folds=3"], "ParameterError: .*no parameter 'folds'"),
    ],
)
def test_an_unknown_or_mistyped_parameter_stops_before_a_kernel_starts(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)  # nothing may be started
    with pytest.raises(SystemExit, match=message):
        cli.main(arguments)


@pytest.fixture
def sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
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


def test_the_plan_beside_the_data_set_is_run_whole(sweeps, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["sweep", "--dataset", "boston", "--workers", "2"])
    ((dataset, plan, *rest),) = sweeps
    assert (dataset, plan.sample, rest) == ("boston", None, [project.REPORTS, 2, 1800])
    assert capsys.readouterr().out.startswith(f"the board\nLeaderboard: {tmp_path}/boston/sweep.html")


def test_a_failed_trial_fails_the_sweep(sweeps, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[[grid]]\nseed=[1,2]")
    with pytest.raises(SystemExit, match="SweepError: 1 of the trials failed:\n  seed=1: the kernel died"):
        cli.main(["sweep", "--plan", str(tmp_path / "plan.toml"), "--sample", "1"])


def test_a_missing_plan_is_named(sweeps, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"DataError: .*plan\.toml: no such file"):
        cli.main(["sweep", "--plan", str(tmp_path / "plan.toml")])


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_a_sample_that_is_no_number_of_trials_is_a_wrong_call(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["sweep", f"--sample={text}"])
    assert stopped.value.code == 2
    assert "expected a whole number above 0" in capsys.readouterr().err
