"""`init`, `simulate`, `boston` and `data`: what they write, and what they refuse."""

from pathlib import Path

import pytest

from loan_approval import cli


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
