"""What new data are compared with, and the whole check as a command."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loan_approval import cli, project
from loan_approval.data.simulate import write_simulation
from loan_approval.data_check.table import read_tables
from loan_approval.errors import DataError
from loan_approval.project import ROOT, sha256_of
from loan_approval.registry import tracking
from loan_approval.training.export import export
from serve.contract.contract import Contract
from tests.loan_approval.conftest import PROVENANCE, Made

pytestmark = pytest.mark.usefixtures("mlflow_folder")


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a data set of simulated loans with a registered model's name of its own."""

    def make(model_name: str) -> Path:
        folder = tmp_path / "mine"
        folder.mkdir()
        text = (ROOT / "data/loans/contract.toml").read_text(encoding="utf-8")
        (folder / "contract.toml").write_text(text.replace('"loan_approval_model"', f'"{model_name}"'))
        write_simulation(folder / "dataset.csv", rows=600, seed=1)
        return folder

    return make


def promote_trained_on(folder: Path, made: Made) -> None:
    """Register a version that says it was trained on the folder's CSV, and point `production` at it."""
    contract = Contract.load(folder / "contract.toml")
    provenance = PROVENANCE | {"data_sha256": sha256_of(folder / "dataset.csv")}
    data = export(made.pipeline, made.recipe, contract, made.decision, provenance, made.background)
    (folder / "model.onnx").write_bytes(data)
    with tracking.start_run("checks", "promoted") as run:
        version = tracking.register(contract.model_name, run, data, contract)
    tracking.set_alias(version.name, "production", version.number)


def words(tables) -> list[str]:
    return [f"{note.level}: {note.words}" for note in tables.notes]


def test_without_anything_promoted_the_data_sets_own_rows_are_the_reference_and_it_is_said(make_folder, tmp_path):
    folder = make_folder("checks_unpromoted")
    write_simulation(tmp_path / "new.csv", rows=300, seed=2)
    tables = read_tables(str(folder), str(tmp_path / "new.csv"))
    assert words(tables) == ["ok: nothing is promoted as checks_unpromoted yet: compared with mine/dataset.csv itself"]
    assert (len(tables.current.frame), len(tables.reference.frame)) == (300, 600)


def test_a_comparison_of_a_file_with_itself_is_said(make_folder):
    assert words(read_tables(str(make_folder("checks_itself"))))[-1] == "ok: the new data are the reference itself"


@pytest.fixture
def promoted(make_folder, make_model) -> Path:
    folder = make_folder(f"checks_promoted_{np.random.default_rng().integers(2**60)}")
    promote_trained_on(folder, make_model("loans", "logistic_regression"))
    return folder


def test_the_rows_production_was_trained_on_are_the_reference(promoted, tmp_path):
    write_simulation(tmp_path / "new.csv", rows=300, seed=2)
    tables = read_tables(str(promoted), str(tmp_path / "new.csv"))
    (note,) = words(tables)
    assert note.startswith("ok: compared with the rows checks_promoted_")
    assert note.endswith("version 1, in production, was trained on")
    assert tables.reference.sha256 == sha256_of(promoted / "dataset.csv")


def test_rows_that_are_not_at_hand_are_named_by_their_hash_and_may_be_given(promoted, tmp_path):
    trained_on = promoted / "dataset.csv"
    old, digest = tmp_path / "old.csv", sha256_of(trained_on)
    shutil.move(trained_on, old)
    write_simulation(trained_on, rows=500, seed=2)
    with pytest.raises(DataError, match=rf"not at hand: .* version 1, in production, was trained on .* {digest}"):
        read_tables(str(promoted))
    tables = read_tables(str(promoted), reference_csv=str(old))
    assert words(tables)[0].endswith("version 1, in production, was trained on")
    assert len(tables.current.frame) == 500
    assert words(read_tables(str(promoted), str(old), str(trained_on)))[0].startswith("ok: compared with a given file")


def test_a_copy_beside_the_data_set_is_found_by_its_hash(promoted):
    shutil.move(promoted / "dataset.csv", promoted / "dataset.version-1.csv")
    write_simulation(promoted / "dataset.csv", rows=500, seed=2)
    tables = read_tables(str(promoted))
    assert words(tables)[0].endswith("version 1, in production, was trained on")
    assert (len(tables.current.frame), len(tables.reference.frame)) == (500, 600)


def test_another_contract_than_productions_is_a_warning(promoted):
    path = promoted / "contract.toml"
    path.write_text(path.read_text().replace("max = 850", "max = 900"))
    assert words(read_tables(str(promoted)))[0].startswith("warning: mine/contract.toml is not the contract")


def test_a_reference_that_is_not_there_is_named(make_folder):
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        read_tables(str(make_folder("checks_gone")), reference_csv="reports/gone.csv")


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(project, "REPORTS", tmp_path / "reports")
    return tmp_path / "reports"


def test_data_that_break_the_contract_fail_the_command_with_a_report_that_names_it_and_shows_no_value(
    make_folder, reports, tmp_path, capsys
):
    header, first, *rest = (make_folder("checks_broken") / "dataset.csv").read_text().splitlines()
    score = header.split(",").index("Credit_Score")
    cells = first.split(",")
    cells[score] = "98765431"
    new = tmp_path / "new.csv"
    new.write_text("\n".join([header, ",".join(cells), *rest]))
    with pytest.raises(SystemExit, match="the data break what a model relies on: 1 severe finding"):
        cli.main(["check-data", "--dataset", str(tmp_path / "mine"), "--csv", str(new)])
    words = "out of range, expected a whole number from 300 to 850 or null: row 2"
    page = (reports / "mine/05_check_data.html").read_text()
    assert words in page
    assert "mine/05_check_data.html" in (reports / "index.html").read_text()
    shown = capsys.readouterr()
    assert f"severe   contract: Credit_Score: {words}" in shown.out
    sweetviz = (reports / "mine/sweetviz_reference_new.html").read_text()
    assert "98765431" not in page + sweetviz + shown.out + shown.err


def test_data_like_the_old_pass_the_command_with_both_reports(make_folder, reports, tmp_path, capsys):
    folder = make_folder("checks_sound")
    write_simulation(tmp_path / "new.csv", rows=500, seed=4)
    cli.main(["check-data", "--dataset", str(folder), "--csv", str(tmp_path / "new.csv"), "-p", "fewer_rows=0.9"])
    shown = capsys.readouterr().out
    assert "warning  rows: rows: 500 rows that keep the contract, the reference has 600; expected 90%" in shown
    assert "compared with mine/dataset.csv itself" in shown
    assert shown.endswith(f"{folder}: sound with warnings\n")
    index = (reports / "index.html").read_text()
    assert all(f"mine/{name}.html" in index for name in ("05_check_data", "sweetviz_reference_new"))


def test_a_csv_that_is_no_table_leaves_the_last_report(make_folder, reports, tmp_path, monkeypatch):
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_notebook", None)  # no kernel may be started
    last = reports / "mine/05_check_data.html"
    last.parent.mkdir(parents=True)
    last.write_text("the last report")
    (tmp_path / "new.csv").write_text("Age;Annual_Income\n45;85000\n")
    with pytest.raises(SystemExit, match="expected commas between the cells"):
        cli.main(["check-data", "--dataset", str(make_folder("checks_table")), "--csv", str(tmp_path / "new.csv")])
    assert last.read_text() == "the last report"


def test_values_are_shown_on_a_terminal_only(make_folder, reports, tmp_path, monkeypatch, capsys):
    folder = make_folder("checks_terminal")
    (tmp_path / "new.csv").write_text((folder / "dataset.csv").read_text() + "45,85000,98765431,25000,10,5,0,1\n")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    result = {"verdict": "sound", "findings": [], "pages": [], "experiment": "checks"}
    monkeypatch.setattr("loan_approval.pipeline.pipeline.run_step", lambda *_: result)
    cli.main(["check-data", "--dataset", str(folder), "--csv", str(tmp_path / "new.csv")])
    assert "row 602: Credit_Score='98765431': out of range" in capsys.readouterr().err
