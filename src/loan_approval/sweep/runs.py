"""The MLflow runs of sweeps: a parent run for each, and below it the trials, tagged with their key once finished."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

KEY, SWEEP, ROLE, SECONDS = "sweep.key", "sweep.id", "sweep.role", "trial_seconds"


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


def record_trial(
    client: MlflowClient, run_id: str, page: Path, seconds: float, tags: Mapping[str, str], key: str
) -> None:
    """Add the executed notebook, its time, tags and, last, its key to a trial's run."""
    client.log_artifact(run_id, str(page), "notebooks")
    client.log_metric(run_id, SECONDS, seconds)
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    client.set_tag(run_id, KEY, key)


def family_tags(parent: str, sweep: str) -> dict[str, str]:
    """Return the tags that put a run below a sweep's parent."""
    return {MLFLOW_PARENT_RUN_ID: parent, SWEEP: sweep}


def adopt(client: MlflowClient, trials: Iterable[Finished], parent: str, sweep: str) -> None:
    """Move trials that an earlier sweep finished below this sweep's parent."""
    for trial in trials:
        for name, value in family_tags(parent, sweep).items():
            client.set_tag(trial.run_id, name, value)


def close_parent(
    client: MlflowClient, parent: str, status: str, metrics: Mapping[str, float], pages: Iterable[Path]
) -> None:
    """Log a sweep's results to its parent run, and end it. status: FINISHED, FAILED or KILLED."""
    for name, value in metrics.items():
        client.log_metric(parent, name, value)
    for page in pages:
        client.log_artifact(parent, str(page))
    client.set_terminated(parent, status)
