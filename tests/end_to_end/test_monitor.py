"""The monitor as its command: a notebook in a kernel, its report, verdict and exit code."""

import shutil
from pathlib import Path

import pytest

from loan_approval import cli, project
from loan_approval.data.simulate import simulate
from loan_approval.project import ROOT
from tests.monitored import Monitored, make_loans, write_refusals


@pytest.fixture
def loans(tmp_path: Path, mlflow_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Monitored:
    monitored = make_loans(tmp_path)
    shutil.copy(ROOT / "data/loans/contract.toml", tmp_path / "loans")
    monkeypatch.setattr(project, "REPORTS", tmp_path / "reports")
    monkeypatch.setenv("SERVE_STORE", str(monitored.store.path))
    return monitored


def test_a_severe_month_has_a_report_and_exit_code_one(
    loans: Monitored, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    month = simulate(400, 5)
    loans.decide(month.assign(Annual_Income=(month["Annual_Income"] / 1000).round(2)), loans.install())
    write_refusals(loans.log, 3)
    chosen = ["--dataset", str(tmp_path / "loans"), "--log", str(loans.log), "--begin", "2026-11-01"]
    with pytest.raises(SystemExit, match="severe drift"):
        cli.main(["monitor", *chosen])
    assert "severe, distribution: Annual income: PSI " in capsys.readouterr().out
    report = tmp_path / "reports/loans/04_monitor_2026-11-01.html"
    assert report.read_text().count('src="data:image/png') == 5
    assert report.with_name("04_monitor_2026-11-01_sweetviz.html").is_file()


def test_without_decisions_the_earlier_report_stays(loans: Monitored, tmp_path: Path) -> None:
    report = tmp_path / "reports/loans/04_monitor.html"
    report.parent.mkdir(parents=True)
    report.write_text("last month's")
    with pytest.raises(SystemExit, match="not there, expected the folder of a prediction log"):
        cli.main(["monitor", "--dataset", str(tmp_path / "loans"), "--log", str(loans.log)])
    assert report.read_text() == "last month's"
