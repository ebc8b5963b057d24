"""One trial of a sweep on a Dask worker: runs the notebook in a process of its own, and records it when done."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from mlflow.tracking import MlflowClient

from loan_approval.data.datasets import dataset_folder, load_dataset
from loan_approval.errors import NotebookFailedError, NotebookTimeoutError, SweepError
from loan_approval.notebooks.process import end_family
from loan_approval.notebooks.run import run_notebook
from loan_approval.sweep.plan import NOTEBOOK, Surroundings, find_surroundings
from loan_approval.sweep.runs import family_tags, record_trial

_MARK = "LOAN_APPROVAL_SWEEP"  # the environment variable by which a sweep's processes are known


@dataclass(frozen=True)
class Setting:
    """What all trials of a sweep have in common. tracking: the address of an MLflow server that each worker reaches."""

    dataset: str
    surroundings: Surroundings
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
    _check_surroundings(setting)
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
            if not html.is_file():
                raise
            client.log_artifact(setting.parent, str(html), "failed")
            raise type(err)(str(err).replace(str(html), f"failed/{html.name} of run {setting.parent}")) from err
        run_id = str(run.result["run_id"])
        record_trial(client, run_id, run.html, run.seconds, family_tags(setting.parent, setting.sweep), key)
    return run_id


def _check_surroundings(setting: Setting) -> None:
    data = load_dataset(setting.dataset)
    here = asdict(find_surroundings(data.sha256, dataset_folder(setting.dataset) / "contract.toml"))
    differing = [name for name, value in asdict(setting.surroundings).items() if here[name] != value]
    if differing:
        raise SweepError(f"the worker on {os.uname().nodename} has another {' and '.join(differing)} than the sweep")


def end_trials(sweep: str) -> None:
    """Kill the notebooks of a sweep that this worker runs."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has ended by itself
            if child.environ().get(_MARK) == sweep:
                end_family(child.pid)
