"""`init`, `simulate`, `boston` and `data`: what they write, and what they refuse."""

import sys
from pathlib import Path

import pytest

from loan_approval import cli
from serve.contract.contract import Contract
from serve.errors import ContractError


def test_simulate_writes_the_rows_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["simulate", str(tmp_path / "new.csv"), "--rows", "25"])
    assert len((tmp_path / "new.csv").read_text().splitlines()) == 26
    assert "25 simulated applications" in capsys.readouterr().out


def test_simulate_takes_its_seed_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("loan_approval.data.simulate.write_simulation", lambda *arguments: calls.append(arguments))
    cli.main(["simulate", str(tmp_path / "new.csv"), "--rows", "0", "--seed", "0"])
    assert calls == [(tmp_path / "new.csv", 0, 0)]


def test_boston_writes_to_the_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []
    monkeypatch.setattr("loan_approval.data.boston.write_boston", calls.append)
    cli.main(["boston", str(tmp_path / "dataset.csv")])
    assert calls == [tmp_path / "dataset.csv"]
    assert "applications of 1990" in capsys.readouterr().out


def test_a_missing_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"DataError: .*nothing\.csv"):
        cli.main(["init", str(tmp_path / "mine"), str(tmp_path / "nothing.csv"), "--target", "y"])
    assert not (tmp_path / "mine").exists()


def test_a_file_to_write_needs_a_version() -> None:
    with pytest.raises(SystemExit, match="--to is given without --version"):
        cli.main(["data", "--to", "data.csv"])


def test_a_data_set_that_cannot_be_brought_to_its_version_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from loan_approval.errors import DataError

    def settle(name: str) -> str:
        if name == "a":
            raise DataError("a: not the recorded data")
        return f"{name}: as recorded"

    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "contract.toml").touch()
    monkeypatch.setattr("loan_approval.project.ROOT", tmp_path)
    monkeypatch.setattr("loan_approval.data.datasets.restore_dataset", settle)
    monkeypatch.setattr("loan_approval.data.datasets.dataset_folder", lambda name: tmp_path / "data" / name)
    monkeypatch.setattr("loan_approval.data.versions.keep", lambda path: None)
    with pytest.raises(SystemExit, match="DataError: a: not the recorded data"):
        cli.main(["data"])
    assert capsys.readouterr().out == "b: as recorded\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = [f"{1000 + row * 37 % 900},5;NA;{row % 2 + 1}" for row in range(60)]
    path = tmp_path / "my data.csv"
    path.write_text("\n".join(["income;region;class", *rows]))
    return path


def test_init_answers_by_options_and_says_the_next_commands_quoted(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--positive", "2", "--answer", "meaning=repaid", "--missing", "region=NA"]
    cli.main(["init", str(tmp_path / "a b"), str(source), "--target", "class", *options])
    shown = capsys.readouterr().out
    assert "drafted, no question is open" in shown
    assert "left out of dataset.csv: region (no value at all)" in shown
    assert f"dvc add '{tmp_path}/a b/dataset.csv'" in shown
    assert f"make run DATASET='{tmp_path}/a b'" in shown
    contract = Contract.load(tmp_path / "a b/contract.toml")
    assert (contract.target.positive, contract.target.meaning) == ("2", "repaid")


def test_init_asks_on_a_terminal_and_an_empty_line_takes_the_guess(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = iter(["three", "2", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(given))
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    cli.main(["init", str(tmp_path / "mine"), str(source), "--target", "class", "--missing", "region=NA"])
    contract = Contract.load(tmp_path / "mine/contract.toml")
    assert (contract.target.positive, contract.target.meaning) == ("2", "past_decision")


def test_init_leaves_questions_open_when_nobody_can_be_asked(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--separator", ";", "--decimal", ",", "--encoding", "utf-8"]
    cli.main(["init", str(tmp_path / "mine"), str(source), "--target", "class", "--missing", "region=NA", *options])
    assert "answer each question in it" in capsys.readouterr().out
    with pytest.raises(ContractError, match="open question"):
        Contract.load(tmp_path / "mine/contract.toml")


def test_init_names_columns_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("\n".join(f"{row * 37 % 90}.5,{row % 2}" for row in range(60)))
    cli.main(["init", str(tmp_path / "mine"), str(tmp_path / "my.csv"), "--target", "y", "--names", "x, y"])
    assert (tmp_path / "mine/dataset.csv").read_text().startswith("x,y\n")
    cli.main(["init", str(tmp_path / "no"), str(tmp_path / "my.csv"), "--target", "column_2", "--no-header"])
    assert (tmp_path / "no/dataset.csv").read_text().startswith("column_1,column_2\n")


def test_init_writes_over_a_draft_only_when_told_to(tmp_path: Path, source: Path) -> None:
    arguments = ["init", str(tmp_path / "mine"), str(source), "--target", "class"]
    cli.main(arguments)
    with pytest.raises(SystemExit, match="exists already"):
        cli.main(arguments)
    cli.main([*arguments, "--replace"])


@pytest.mark.parametrize(("rows", "ends"), [(60, "First mend what training refuses: "), (600, "Keep this version")])
def test_init_says_last_what_stands_before_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: int, ends: str
) -> None:
    path = tmp_path / "my.csv"
    path.write_text("\n".join(["income,granted", *(f"{1000 + row * 37},{row * 13 % 10 // 7}" for row in range(rows))]))
    cli.main(["init", str(tmp_path / "mine"), str(path), "--target", "granted"])
    *_, before, run = capsys.readouterr().out.splitlines()
    assert before.startswith(ends)
    assert run == f"Then: make run DATASET={tmp_path}/mine"
