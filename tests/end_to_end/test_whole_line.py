"""From a CSV to an answered request, for both data sets, through the notebooks and a real MLflow."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loan_approval import cli, project
from loan_approval.pipeline.pipeline import run_step
from loan_approval.registry import tracking
from loan_approval.registry.promotion import promote
from serve.contract.contract import Contract
from serve.store.store import Store
from tests.server_process import running_server

LIMIT = 300  # seconds a notebook


@dataclass(frozen=True)
class Line:
    """What one run of explore, train and validate left."""

    contract: Contract
    reports: Path
    trained: dict[str, Any]
    judged: dict[str, Any]


RECIPES = {
    "loans": ("hist_gradient_boosting", "median_imputer"),
    "boston": ("logistic_regression", "median_imputer_with_scaler"),
}


@pytest.fixture(scope="module", params=["loans", pytest.param("boston", marks=pytest.mark.hard)])
def line(
    request: pytest.FixtureRequest,
    make_data_set: Callable[[str], Path],
    mlflow_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Line:
    """Explore, train and validate one data set, each by its notebook."""
    folder = str(make_data_set(request.param))
    reports = tmp_path_factory.mktemp("reports")
    model, preprocessor = RECIPES[request.param]
    run_step("01_explore", {"dataset": folder}, reports, LIMIT)
    texts = {"dataset": folder, "model_name": model, "preprocessor_name": preprocessor}
    trained = run_step("02_train", texts, reports, LIMIT)
    judged = run_step("03_validate", {"dataset": folder, "version": str(trained["version"])}, reports, LIMIT)
    return Line(Contract.load(Path(folder) / "contract.toml"), reports, trained, judged)


def test_the_model_passes_its_gates_and_answers_over_http(line: Line, tmp_path: Path) -> None:
    assert line.judged["verdict"] == "passed", line.judged["gates"]
    assert {"parity", "monotone", "age"} <= {gate["name"] for gate in line.judged["gates"]}
    store = Store(tmp_path / "store")
    version = promote(line.trained["name"], "challenger", store)
    with running_server(tmp_path, store.path) as server:
        answer = server.request("POST", "/api/v2/predict", line.contract.example())
        described = server.request("GET", "/api/v2/model").json
    assert answer.status == 200
    assert answer.json["prediction"] == line.contract.label(answer.json["prediction_code"])
    assert answer.headers["X-Model-Sha256"] == version.sha256 == line.trained["sha256"]
    assert described["metrics"]["roc_auc"] == pytest.approx(line.trained["metrics"]["roc_auc"])
    assert described["verdict"]["verdict"] == "passed"


def test_the_auc_of_the_test_rows_is_one_figure_with_one_interval_wherever_it_stands(line: Line) -> None:
    metrics = tracking.connect().get_run(line.trained["run_id"]).data.metrics
    value, low, high = (f"{metrics[name]:.3f}" for name in ("roc_auc", "roc_auc_low", "roc_auc_high"))
    for report in ("02_train", "03_validate"):
        (summary,) = line.reports.rglob(f"{report}.summary.json")
        (tile,) = [each for each in json.loads(summary.read_text())["tiles"] if each["name"] == "AUC, test rows"]
        assert (tile["value"], tile["note"]) == (value, f"95 % interval {low} to {high}")
    (gate,) = [each for each in line.judged["gates"] if each["name"] == "confirmation"]
    assert f"AUC {value}, p-value" in gate["words"]
    version = tracking.find_version(line.trained["name"], line.trained["version"])
    assert tracking.load_metadata(version)["metrics"]["roc_auc"] == metrics["roc_auc"]  # what /api/v2/model says
    shown = {
        interval
        for page in ("02_train.html", "03_validate.html", "card.html")
        for path in line.reports.rglob(page)
        for interval in re.findall(rf"AUC {value} (\[[^]]*\])", path.read_text())
    }
    assert shown == {f"[{low}, {high}]"}


def test_the_run_records_what_made_the_model(line: Line) -> None:
    run = tracking.connect().get_run(line.trained["run_id"])
    assert {"model_name", "preprocessor_name", "seed", "threshold", "dataset"} <= set(run.data.params)
    assert {"accuracy", "f1", "roc_auc", "pr_auc", "log_loss", "brier"} <= set(run.data.metrics)
    assert {"commit", "changes", "data_sha256", "lock_sha256", "sha256"} <= set(run.data.tags)
    assert run.data.tags["sha256"] == line.trained["sha256"]
    experiment = tracking.connect().get_experiment(run.info.experiment_id)
    assert experiment.name == line.contract.experiment


def test_the_run_holds_figures_pipeline_model_file_reports_and_verdict(line: Line) -> None:
    client, run = tracking.connect(), line.trained["run_id"]
    paths = {a.path for folder in ("", "figures", "notebooks", "model") for a in client.list_artifacts(run, folder)}
    figures = {f"figures/{name}.png" for name in ("confusion_matrix", "roc", "calibration", "feature_importance")}
    assert figures | {"pipeline.skops", "model/model.onnx"} <= paths
    assert {"notebooks/02_train.html", "notebooks/03_validate.html", "verdict"} <= paths


def test_the_index_links_every_report_and_sweetviz_page(line: Line) -> None:
    index = (line.reports / "index.html").read_text()
    pages = {page.name for page in line.reports.rglob("*.html")} - {"index.html"}
    assert {"01_explore.html", "02_train.html", "03_validate.html", "sweetviz_target.html"} <= pages
    assert all(f'/{page}"' in index for page in pages)


@pytest.mark.parametrize(("report", "figures"), [("01_explore", 5), ("02_train", 11), ("03_validate", 10)])
def test_a_report_shows_its_figures_and_no_warnings(line: Line, report: str, figures: int) -> None:
    (page,) = line.reports.rglob(f"{report}.html")
    text = page.read_text()
    assert text.count('src="data:image/png') == figures
    assert "Warning: " not in re.sub(r"<style.*?</style>|Warning: impurity-based", "", text, flags=re.DOTALL)


def test_a_model_of_noise_fails_says_so_and_cannot_be_promoted(
    make_data_set: Callable[[str], Path], mlflow_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(make_data_set("noise"))
    monkeypatch.setattr(project, "REPORTS", tmp_path / "reports")
    monkeypatch.setenv("SERVE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SERVE_PREDICTION_LOG", str(tmp_path / "log"))
    cli.main(["train", "--dataset", folder, "--model-name", "logistic_regression"])
    with pytest.raises(SystemExit, match="the model cannot be told from chance"):
        cli.main(["validate", "--dataset", folder])
    with pytest.raises(SystemExit, match="PromotionError: noise_model version 1 has the verdict 'failed'"):
        cli.main(["promote", "--dataset", folder])
    assert not (tmp_path / "store" / "production.json").exists()
