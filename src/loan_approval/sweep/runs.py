"""What MLflow keeps of sweeps: a parent run each, below it the trials, each known by its key once it is finished."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

KEY, SWEEP, ROLE, SECONDS = "sweep.key", "sweep.id", "sweep.role", "trial_seconds"
_PAGE = 1000


@dataclass(frozen=True)
class Finished:
    """A finished trial: its MLflow run and what was measured in it."""

    key: str
    run_id: str
    metrics: Mapping[str, float]


def finished_trials(client: MlflowClient, experiment_id: str, keys: Iterable[str]) -> dict[str, Finished]:
    """Return the finished runs of an experiment that have one of these keys, the latest of each."""
    wanted, found = set(keys), {}
    # Newest first. A run that was cut short has no key: it is the last thing that a trial writes.
    for run in _search(client, experiment_id, f"attributes.status = 'FINISHED' and tags.`{KEY}` LIKE '%'"):
        key = run.data.tags[KEY]
        if key in wanted and key not in found:
            found[key] = Finished(key, run.info.run_id, dict(run.data.metrics))
    return found


def _search(client: MlflowClient, experiment_id: str, query: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs([experiment_id], query, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def open_parent(client: MlflowClient, experiment_id: str, sweep: str, name: str, tags: Mapping[str, str]) -> str:
    """Return the id of a sweep's parent run, now running: that of an earlier start of the sweep, else a new one."""
    for run in _search(client, experiment_id, f"tags.`{SWEEP}` = '{sweep}' and tags.`{ROLE}` = 'parent'"):
        client.update_run(run.info.run_id, status="RUNNING")
        return run.info.run_id
    # All as tags of its creation, so that a parent that is cut short is found again.
    every = dict(tags) | {SWEEP: sweep, ROLE: "parent"}
    return client.create_run(experiment_id, run_name=name, tags=every).info.run_id


def record_trial(
    client: MlflowClient, run_id: str, page: Path, seconds: float, tags: Mapping[str, str], key: str
) -> None:
    """Add the executed notebook, its time, what it belongs to and, last, its key to a trial's run."""
    client.log_artifact(run_id, str(page), "notebooks")
    client.log_metric(run_id, SECONDS, seconds)
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    client.set_tag(run_id, KEY, key)


def family_tags(parent: str, sweep: str) -> dict[str, str]:
    """Return the tags that put a run below a sweep's parent."""
    return {MLFLOW_PARENT_RUN_ID: parent, SWEEP: sweep}


def adopt(client: MlflowClient, trials: Iterable[Finished], parent: str, sweep: str) -> None:
    """Put trials that an earlier sweep finished below this sweep's parent."""
    for trial in trials:
        for name, value in family_tags(parent, sweep).items():
            client.set_tag(trial.run_id, name, value)


def close_parent(
    client: MlflowClient, parent: str, status: str, metrics: Mapping[str, float], pages: Iterable[Path]
) -> None:
    """Log what a sweep gave into its parent run, and end it. status: FINISHED, FAILED or KILLED."""
    for name, value in metrics.items():
        client.log_metric(parent, name, value)
    for page in pages:
        client.log_artifact(parent, str(page))
    client.set_terminated(parent, status)
