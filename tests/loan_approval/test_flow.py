"""The end of the line: a served model, one question, one answer."""

import urllib.error
from pathlib import Path

import pytest

from loan_approval import flow
from loan_approval.errors import LoanApprovalError
from serve.contract import Contract
from serve.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import find_free_port, promote


def test_a_request_is_answered_and_the_server_stopped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store, port = Store(tmp_path / "store"), find_free_port()
    promote(store, good_files()["loans"])
    with flow.served("loan_approval_model", store, port) as address:
        flow.ask(address, Contract.from_dict(LOANS).example())
    shown = capfd.readouterr().out
    assert f"curl -X POST localhost:{port}/api/v2/predict -H 'Content-Type: application/json' -d '{{\"Age\":45" in shown
    assert '-> {"prediction":"Approved","prediction_code":1}\n' in shown
    with pytest.raises(urllib.error.URLError):
        flow.ask(f"http://127.0.0.1:{port}", {})


def test_a_server_that_ends_by_itself_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_THREADS", "many")
    with (
        pytest.raises(LoanApprovalError, match="the server ended with status 1"),
        flow.served("loan_approval_model", Store(tmp_path), find_free_port()),
    ):
        pass
