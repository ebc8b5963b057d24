"""One trial of a sweep on a Dask worker, and the MLflow runs: a parent for each sweep, and its trials below it.

A trial runs the notebook in a process of its own. Its run gets the trial's key when it is finished.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import psutil
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from loan_approval.data.datasets import dataset_folder, load_dataset
from loan_approval.errors import NotebookFailedError, NotebookTimeoutError, SweepError
from loan_approval.notebooks.run import NotebookRun, end_family, run_notebook
from loan_approval.notebooks.summary import failed_page
from loan_approval.sweep.plan import NOTEBOOK, find_surroundings

KEY, SWEEP, ROLE, SECONDS = "sweep.key", "sweep.id", "sweep.role", "trial_seconds"
_MARK = "LOAN_APPROVAL_SWEEP"  # the environment variable by which a sweep's processes are known


@dataclass(frozen=True)
class Setting:
    """What all trials of a sweep have in common. tracking: the address of an MLflow server that each worker reaches."""

    dataset: str
    surroundings: Mapping[str, str]
    tracking: str
    parent: str
    sweep: str
    time_limit: float


def run_trial(setting: Setting, key: str, parameters: Mapping[str, Any]) -> str:
    """Run the notebook with these parameters and record it under its key; returns the id of its MLflow run.

    The page of a failed notebook is logged to the parent run. Raises SweepError when this worker has other code or
    data than the sweep was planned on, NotebookFailedError, NotebookTimeoutError.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    here = find_surroundings(load_dataset(setting.dataset).sha256, dataset_folder(setting.dataset) / "contract.toml")
    if differing := [name for name, value in setting.surroundings.items() if here[name] != value]:
        raise SweepError(f"the worker on {os.uname().nodename} has another {' and '.join(differing)} than the sweep")
    client = MlflowClient(tracking_uri=setting.tracking)
    parameters = dict(parameters) | {"dataset": setting.dataset, "register": False}
    # One core a trial: as many run at once as there are workers.
    environment = {"MLFLOW_TRACKING_URI": setting.tracking, "LOKY_MAX_CPU_COUNT": "1", _MARK: setting.sweep}
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        html = Path(folder, f"{key[:12]}.html")
        try:
            run = run_notebook(
                NOTEBOOK, parameters, Path(folder), setting.time_limit, html.stem, environment, progress=False
            )
        except (NotebookFailedError, NotebookTimeoutError) as err:
            broken = failed_page(html)
            if not broken.is_file():
                raise
            client.log_artifact(setting.parent, str(broken), "failed")
            raise type(err)(str(err).replace(str(broken), f"failed/{broken.name} of run {setting.parent}")) from err
        return record_trial(client, run, family_tags(setting.parent, setting.sweep), key)


def end_trials(sweep: str) -> None:
    """Kill the notebooks of a sweep that this worker runs."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has ended by itself
            if child.environ().get(_MARK) == sweep:
                end_family(child.pid)


@dataclass(frozen=True)
class Finished:
    """A finished trial: its MLflow run and what was measured in it."""

    run_id: str
    metrics: Mapping[str, float]


def finished_trials(experiment_id: str, keys: Iterable[str]) -> dict[str, Finished]:
    """Return the finished runs of an experiment that have one of these keys, the latest of each."""
    wanted, trials = set(keys), {}
    # Newest first. An interrupted run has no key, because a trial writes that last.
    query = f"attributes.status = 'FINISHED' and tags.`{KEY}` LIKE '%'"
    for run in mlflow.search_runs([experiment_id], query, output_format="list"):
        key = run.data.tags[KEY]
        if key in wanted:
            trials.setdefault(key, Finished(run.info.run_id, dict(run.data.metrics)))
    return trials


def open_parent(client: MlflowClient, experiment_id: str, sweep: str, name: str, tags: Mapping[str, str]) -> str:
    """Return the id of a sweep's parent run, now running: one that an earlier start made, else a new one."""
    query = f"tags.`{SWEEP}` = '{sweep}' and tags.`{ROLE}` = 'parent'"
    for run in mlflow.search_runs([experiment_id], query, output_format="list", max_results=1):
        client.update_run(run.info.run_id, status="RUNNING")
        return run.info.run_id
    # The run is created with all its tags, so that the next start finds an interrupted parent.
    tags = dict(tags) | {SWEEP: sweep, ROLE: "parent"}
    return client.create_run(experiment_id, run_name=name, tags=tags).info.run_id


def record_trial(client: MlflowClient, run: NotebookRun, tags: Mapping[str, str], key: str) -> str:
    """Add the executed notebook, its time, tags and, last, its key to a trial's MLflow run; return the run's id."""
    run_id = str(run.result["run_id"])
    client.log_artifact(run_id, str(run.html), "notebooks")
    client.log_metric(run_id, SECONDS, run.seconds)
    for name, value in (*tags.items(), (KEY, key)):
        client.set_tag(run_id, name, value)
    return run_id


def family_tags(parent: str, sweep: str) -> dict[str, str]:
    """Return the tags that put a run below a sweep's parent."""
    return {MLFLOW_PARENT_RUN_ID: parent, SWEEP: sweep}


def adopt(client: MlflowClient, trials: Iterable[Finished], parent: str, sweep: str) -> None:
    """Move trials that an earlier sweep finished below this sweep's parent."""
    for trial in trials:
        for name, value in family_tags(parent, sweep).items():
            client.set_tag(trial.run_id, name, value)
