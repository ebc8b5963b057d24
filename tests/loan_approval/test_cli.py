"""The command line: with which exit status it ends, and what it says then."""

from pathlib import Path

import pytest

from loan_approval import cli


def test_an_error_of_the_project_is_one_line_and_status_one(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["init", str(tmp_path / "mine"), str(tmp_path / "nothing.csv"), "--target", "y"])
    assert stopped.value.code.startswith("DataError: ")
    assert "\n" not in stopped.value.code


def test_a_wrong_call_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["promote", "--versoin", "3"])
    assert stopped.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


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
