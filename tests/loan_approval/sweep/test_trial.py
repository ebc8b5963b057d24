"""What a worker refuses before it runs anything, and what MLflow keeps of sweeps, in a real one."""

import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from loan_approval.data.datasets import load_dataset
from loan_approval.errors import SweepError
from loan_approval.notebooks.run import NotebookRun
from loan_approval.project import ROOT
from loan_approval.registry import tracking
from loan_approval.sweep.plan import find_surroundings
from loan_approval.sweep.trial import (
    Setting,
    adopt,
    family_tags,
    finished_trials,
    open_parent,
    record_trial,
    run_trial,
)


@pytest.mark.parametrize("other", ["code", "data", "notebook", "contract"])
def test_a_worker_with_other_code_or_data_runs_nothing(
    other: str, loans_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)  # nothing may be started
    shutil.copy(ROOT / "data/loans/contract.toml", tmp_path)
    shutil.copy(loans_csv, tmp_path / "dataset.csv")
    there = find_surroundings(load_dataset(str(tmp_path)).sha256, tmp_path / "contract.toml")
    setting = Setting(str(tmp_path), there | {other: "x"}, "http://127.0.0.1:9", "parent", "sweep", 60)
    with pytest.raises(SweepError, match=f"has another {other} than the sweep"):
        run_trial(setting, "key", {})


@pytest.fixture
def experiment(mlflow_folder: Path, request: pytest.FixtureRequest) -> str:
    return tracking.find_experiment(request.node.name)


@pytest.fixture
def client(mlflow_folder: Path) -> MlflowClient:
    return tracking.connect()


def run_of(client: MlflowClient, experiment: str, page: Path, key: str, status: str = "FINISHED") -> str:
    run = client.create_run(experiment).info.run_id
    record_trial(client, NotebookRun({"run_id": run}, page, 2.0), family_tags("the first parent", "first"), key)
    client.set_terminated(run, status)
    return run


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text("<p>")
    return path


def test_only_finished_runs_with_a_wanted_key_count_and_the_latest_of_them(
    client: MlflowClient, experiment: str, page: Path
) -> None:
    client.set_terminated(client.create_run(experiment).info.run_id)
    run_of(client, experiment, page, "half", status="FAILED")
    run_of(client, experiment, page, "other")
    run_of(client, experiment, page, "twice")
    latest = run_of(client, experiment, page, "twice")
    found = finished_trials(experiment, ["half", "twice", "never"])
    assert {key: run.run_id for key, run in found.items()} == {"twice": latest}
    assert found["twice"].metrics == {"trial_seconds": 2.0}
    assert [entry.path for entry in client.list_artifacts(latest, "notebooks")] == ["notebooks/page.html"]


def test_the_same_sweep_goes_on_under_the_same_parent(client: MlflowClient, experiment: str, page: Path) -> None:
    parent = open_parent(client, experiment, "first", "sweep of x", {"dataset": "x"})
    client.set_terminated(parent, "FAILED")
    assert open_parent(client, experiment, "first", "sweep of x", {}) == parent
    assert client.get_run(parent).info.status == "RUNNING"
    assert open_parent(client, experiment, "second", "sweep of x", {}) != parent


def test_a_new_sweep_takes_over_trials_that_are_done(client: MlflowClient, experiment: str, page: Path) -> None:
    run = run_of(client, experiment, page, "key")
    parent = open_parent(client, experiment, "second", "sweep of x", {})
    adopt(client, finished_trials(experiment, ["key"]).values(), parent, "second")
    assert client.get_run(run).data.tags["mlflow.parentRunId"] == parent
