"""The end of the line: a served model, one question, one answer."""

import json
import shlex
import shutil
import socket
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import pytest

from loan_approval.errors import DataError, LoanApprovalError, TrackingError
from loan_approval.pipeline import pipeline
from loan_approval.project import ROOT
from serve.contract.contract import Contract
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import find_free_port, promote


def test_a_request_is_answered_and_logged_and_the_server_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVE_PREDICTION_LOG", str(tmp_path / "log"))
    store, port = Store(tmp_path / "store"), find_free_port()
    promote(store, good_files()["loans"])
    with pipeline.served("loan_approval_model", store, port) as address:
        pipeline.ask(address, Contract.from_dict(LOANS).example())
    shown = capfd.readouterr().out
    assert f"curl -X POST localhost:{port}/api/v2/predict -H 'Content-Type: application/json' -d '{{\"Age\":45" in shown
    assert '-> {"prediction":"Approved","prediction_code":1}\n' in shown
    with pytest.raises(urllib.error.URLError):
        pipeline.ask(f"http://127.0.0.1:{port}", {})
    (path,) = (tmp_path / "log/decisions").rglob("*.jsonl")
    assert '"label":"Approved"' in path.read_text()


def test_a_log_lies_in_the_project_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVE_PREDICTION_LOG", raising=False)
    assert pipeline.prediction_log_folder("loan_approval_model") == ROOT / "predictions/loan_approval_model"


def test_a_port_in_use_is_refused_before_anything_else(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LoanApprovalError, match=f"port {port} can't be used"):
            pipeline.run_everything("loans", {}, tmp_path, port)
    assert not list(tmp_path.iterdir())


def test_a_question_that_is_open_stops_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "run_step", None)  # no notebook may run
    text = (ROOT / "data/loans/contract.toml").read_text()
    (tmp_path / "contract.toml").write_text(text.replace("[target]", '[target]\nquestion = "Right?"'))
    with pytest.raises(DataError, match=r"target\.question: an open question is left: Right\?"):
        pipeline.run_everything(str(tmp_path), {}, tmp_path / "reports", find_free_port())
    assert capsys.readouterr().out == ""


def test_a_port_that_was_taken_meanwhile_does_not_end_a_finished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The steps before the server, and the taking of the port, are played; the server is real."""
    store, port, taken = Store(tmp_path / "store"), find_free_port(), socket.socket()
    promote(store, good_files()["loans"])

    def run_step(notebook: str, texts: dict, folder: Path, time_limit: float) -> dict:
        if notebook == "03_validate":
            taken.bind(("127.0.0.1", port))
            taken.listen()
        return {"version": "1", "verdict": "passed"}

    monkeypatch.setenv("SERVE_PREDICTION_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(pipeline, "run_step", run_step)
    monkeypatch.setattr(pipeline, "restore_dataset", lambda name: "as it was")
    monkeypatch.setattr(pipeline, "model_and_store", lambda name: ("loan_approval_model", store))
    monkeypatch.setattr(pipeline, "promote", lambda *arguments: SimpleNamespace(number="1"))
    monkeypatch.setattr(pipeline, "write_card", lambda *arguments: None)
    with taken:
        pipeline.run_everything("loans", {}, tmp_path / "reports", port)
    assert '-> {"prediction":' in capfd.readouterr().out


def test_a_printed_request_is_quoted_for_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(urllib.error.URLError):
        pipeline.ask(f"http://127.0.0.1:{find_free_port()}", {"a's": 1})
    line = capsys.readouterr().out.strip()
    assert json.loads(shlex.split(line)[-1]) == {"a's": 1}


def test_a_data_set_that_breaks_its_contract_stops_before_a_report_could_hold_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)  # nothing may be started
    shutil.copy(ROOT / "data/loans/contract.toml", tmp_path)
    names = [feature["name"] for feature in LOANS["feature"]]
    (tmp_path / "dataset.csv").write_text(",".join([*names, "Loan_Approval"]) + "\n45,85000,912,25000,10,5,0,1\n")
    with pytest.raises(DataError, match="row 2: Credit_Score='912': out of range"):
        pipeline.run_step("01_explore", {"dataset": str(tmp_path)}, tmp_path / "reports", 60)
    assert not (tmp_path / "reports").exists()


@pytest.mark.usefixtures("mlflow_folder")
def test_a_bad_row_is_counted_by_the_exploration_and_stops_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "data/loans/contract.toml", tmp_path)
    names = [feature["name"] for feature in LOANS["feature"]]
    rows = ["45,85000,650,25000,10,5,0,1"] * 4 + ["45,85000,912,25000,10,5,0,1"]
    (tmp_path / "dataset.csv").write_text("\n".join([",".join([*names, "Loan_Approval"]), *rows]))
    pipeline._check_before_kernel("01_explore", str(tmp_path), {})
    assert "1 of 5 rows breaks the contract." in capsys.readouterr().out
    with pytest.raises(DataError, match="row 6: Credit_Score='912': out of range"):
        pipeline._check_before_kernel("02_train", str(tmp_path), {})


def test_a_server_that_ends_by_itself_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_THREADS", "many")
    monkeypatch.setenv("SERVE_PREDICTION_LOG", str(tmp_path / "log"))
    with (
        pytest.raises(LoanApprovalError, match="the server ended with status 1"),
        pipeline.served("loan_approval_model", Store(tmp_path), find_free_port()),
    ):
        pass


@pytest.mark.usefixtures("mlflow_folder")
def test_what_training_and_validation_must_refuse_stops_before_a_kernel_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)  # nothing may be started
    contract = (ROOT / "data/loans/contract.toml").read_text().replace("loan_approval_model", "model_of_few_rows")
    (tmp_path / "contract.toml").write_text(contract)
    names = [feature["name"] for feature in LOANS["feature"]]
    rows = [f"{row + 20},85000,650,25000,10,5,0,{row % 2}" for row in range(30)]
    (tmp_path / "dataset.csv").write_text("\n".join([",".join([*names, "Loan_Approval"]), *rows]))
    few, reports = "add rows until there are about 75", tmp_path / "reports"
    with pytest.raises(DataError, match=few):
        pipeline.run_step("02_train", {"dataset": str(tmp_path)}, reports, 60)
    with pytest.raises(DataError, match=few):
        pipeline.run_everything(str(tmp_path), {}, reports, find_free_port())
    with pytest.raises(TrackingError, match="model_of_few_rows has no version '4'"):
        pipeline.run_step("03_validate", {"dataset": str(tmp_path), "version": "4"}, reports, 60)
