"""A sweep on real workers with a real MLflow: a worker is killed, a trial fails, a rerun does only what is missing."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from loan_approval.data.simulate import write_simulation
from loan_approval.project import REPORTS, ROOT
from loan_approval.sweep import running
from tests.waiting import wait_until

pytestmark = pytest.mark.hard

DEADLINE = 900  # seconds
MARK = "LOAN_APPROVAL_SWEEP"
WELL = '[[grid]]\nmodel_name = ["logistic_regression"]\nfactory_parameters.C = {values}\n'
BADLY = '[[grid]]\nmodel_name = ["logistic_regression"]\nfactory_parameters.max_iter = [-1]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small data set, with MLflow's database beside it."""
    folder = tmp_path_factory.mktemp("sweeps") / "small-sweep"
    folder.mkdir()
    shutil.copy(ROOT / "data/loans/contract.toml", folder)
    write_simulation(folder / "dataset.csv", rows=300, seed=1)
    yield folder
    shutil.rmtree(REPORTS / folder.name, ignore_errors=True)


@pytest.fixture(scope="module")
def client(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def start(folder: Path, plan: str, **environment: str) -> subprocess.Popen[str]:
    (folder / "sweep.toml").write_text(plan)
    command = [sys.executable, "-m", "loan_approval", "sweep", "--dataset", str(folder), "--workers", "2"]
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    return subprocess.Popen(
        command,
        env=os.environ | tracking | environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C goes to a whole group
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out, err


def notebooks_below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The trials' processes: papermill's and, below it, the kernel's."""
    marked = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            marked += [child] if MARK in child.environ() else []
        except psutil.Error:
            continue
    return marked


def kernel_of(process: subprocess.Popen[str]) -> list[psutil.Process] | None:
    """A running trial: papermill's process and its kernel."""
    for member in notebooks_below(process):
        parent = member.parent()
        if parent is not None and "ipykernel_launcher" in " ".join(member.cmdline()):
            return [parent, member]
    return None


def trials_of(client: MlflowClient, parent: Run) -> list[Run]:
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return client.search_runs([parent.info.experiment_id], query)


def parents_of(client: MlflowClient) -> list[Run]:
    """Newest first."""
    (experiment,) = [found for found in client.search_experiments() if found.name != "Default"]
    return client.search_runs([experiment.experiment_id], "tags.`sweep.role` = 'parent'")


@pytest.fixture(scope="module")
def swept(folder: Path) -> tuple[int, str, str]:
    """What a sweep of two good trials and a bad one said, one worker of which was killed on the way."""
    process = start(folder, WELL.format(values=[0.1, 1.0]) + BADLY)
    papermill, kernel = wait_until(lambda: process.poll() is not None or kernel_of(process), DEADLINE)
    papermill.parent().kill()
    wait_until(lambda: not papermill.is_running() and not kernel.is_running(), DEADLINE)
    return finish(process)


def test_a_sweep_outlives_a_worker_and_names_the_trial_that_failed(
    swept: tuple[int, str, str], client: MlflowClient
) -> None:
    code, out, err = swept
    assert code == 1
    assert "3 trials, 0 done before, 3 to run" in out
    assert "1 of the trials failed" in err
    assert 'factory_parameters={"max_iter":-1}: NotebookFailedError' in err
    (parent,) = parents_of(client)
    assert parent.info.status == "FAILED"
    trials = trials_of(client, parent)
    assert len({run.data.tags["sweep.key"] for run in trials}) == len(trials) == 2
    assert [entry.path for entry in client.list_artifacts(trials[0].info.run_id, "notebooks")]
    names = {entry.path for entry in client.list_artifacts(parent.info.run_id)}
    assert names == {"failed", "sweep.html", "sweep.json"}


def test_trials_register_nothing_and_say_nothing_of_the_test_rows(
    swept: tuple[int, str, str], client: MlflowClient
) -> None:
    assert not client.search_registered_models()
    for run in trials_of(client, parents_of(client)[0]):
        measured = [name for name in run.data.metrics if not name.startswith(("cv_", "calibrate_"))]
        assert measured == ["trial_seconds"]
        assert {"cv_roc_auc", "calibrate_cost", "calibrate_log_loss"} <= set(run.data.metrics)


def test_a_rerun_runs_nothing_and_one_more_value_runs_only_that_also_on_another_scheduler(
    swept: tuple[int, str, str], folder: Path, client: MlflowClient
) -> None:
    plan = WELL.format(values=[0.1, 1.0])
    for _ in range(2):
        code, out, err = finish(start(folder, plan, DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:1"))  # nobody is there
        assert (code, "2 trials, 2 done before, 0 to run" in out) == (0, True), err
    second, first = parents_of(client)
    assert (second.info.status, len(trials_of(client, second)), len(trials_of(client, first))) == ("FINISHED", 2, 0)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        process = start(folder, WELL.format(values=[0.1, 1.0, 10.0]), DASK_SCHEDULER_ADDRESS=cluster.scheduler_address)
        code, out, err = finish(process)
    assert (code, "3 trials, 2 done before, 1 to run" in out) == (0, True), err
    assert len(trials_of(client, parents_of(client)[0])) == 3
    assert "python -m loan_approval train --dataset" in out


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_stopped_leaves_no_kernel_and_no_key(
    stop: signal.Signals, folder: Path, client: MlflowClient
) -> None:
    process = start(folder, f"[[grid]]\nseed = [{int(stop)}]\n")
    papermill, kernel = wait_until(lambda: process.poll() is not None or kernel_of(process), DEADLINE)
    if stop == signal.SIGINT:
        os.killpg(process.pid, stop)  # as a terminal does
    else:
        process.send_signal(stop)
    code, _, _ = finish(process)
    assert code not in (0, 1)
    wait_until(lambda: not papermill.is_running() and not kernel.is_running(), DEADLINE)
    parent = parents_of(client)[0]
    assert (parent.info.status, trials_of(client, parent)) == ("KILLED", [])


def test_a_trial_that_kills_each_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with running._connect(1) as client:
        future = client.submit(os.abort, key="trial-x", pure=False)
        (done,) = running.as_completed([future])
        assert running._reason(done) == "each worker that ran it died"
