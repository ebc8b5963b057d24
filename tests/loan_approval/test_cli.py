"""The command line: what it refuses, and with which exit status."""

from pathlib import Path

import pytest

from loan_approval import cli


def test_simulate_writes_the_rows_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["simulate", str(tmp_path / "new.csv"), "--rows", "25"])
    assert len((tmp_path / "new.csv").read_text().splitlines()) == 26
    assert "25 simulated applications" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["check-data", "explore", "train", "validate", "promote", "rollback", "history", "run"]
)
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


def test_a_missing_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"DataError: .*nothing\.csv"):
        cli.main(["init", str(tmp_path / "mine"), str(tmp_path / "nothing.csv"), "--target", "y"])
    assert not (tmp_path / "mine").exists()


def test_a_wrong_call_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["promote", "--versoin", "3"])
    assert stopped.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "validate", "sweep", "monitor", "reproduce 1", "retain --days 3"])
def test_a_time_limit_that_is_none_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("0", "-5", "nan", "inf", "soon"):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command.split(), f"--time-limit={text}"])
        assert ended.value.code == 2
        assert f"'{text}': expected a number above 0" in capsys.readouterr().err


def test_a_command_that_is_interrupted_says_so_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("loan_approval.data.simulate.write_simulation", interrupt)
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", str(tmp_path / "new.csv")])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
