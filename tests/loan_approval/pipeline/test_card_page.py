"""The model card among the reports, of versions registered in a real MLflow."""

from pathlib import Path

from loan_approval.notebooks.run import NotebookRun
from loan_approval.notebooks.summary import read_summary
from loan_approval.pipeline.card_page import write_card, write_card_of
from loan_approval.project import ROOT
from loan_approval.registry import tracking
from loan_approval.registry.promotion import promote
from serve.store.store import Store
from tests.registered import new_name, register


def test_the_card_of_a_promoted_version_stands_among_the_reports_with_its_record(
    mlflow_folder: Path, tmp_path: Path
) -> None:
    name, dataset = new_name(), ROOT / "data/loans"
    register(name, 1.0)
    version = promote(name, "1", Store(tmp_path / "store"))
    write_card(version, str(dataset), tmp_path / "reports")
    page = tmp_path / "reports/loans/card.html"
    assert page.read_text() == tracking.load_metadata(version)["card"]
    summary = read_summary(page)
    assert summary["standing"].startswith("Version 1: In production by the record: promote at ")
    assert [event["event"] for event in summary["history"]] == ["promote"]
    assert "loans/card.html" in (tmp_path / "reports/index.html").read_text()


def test_a_report_that_judged_no_version_gets_no_card(tmp_path: Path) -> None:
    run = NotebookRun({"version": "1"}, tmp_path / "02_train.html", 1.0)
    write_card_of(run)
    assert not list(tmp_path.iterdir())
