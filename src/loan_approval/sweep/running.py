"""Runs a sweep's trials on Dask, each done once, collected under one MLflow run and ranked."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, as_completed
from tqdm import tqdm

from loan_approval.batch.dask_engine import dask_client
from loan_approval.data.datasets import dataset_folder, load_dataset
from loan_approval.errors import SweepError
from loan_approval.project import git_state
from loan_approval.registry import tracking
from loan_approval.registry.tracking_server import is_server, serving, tracking_uri
from loan_approval.sweep.leaderboard import Board, Failure, make_board, write_board
from loan_approval.sweep.plan import Plan, Trial, check_trials, find_surroundings, make_trials, sweep_id
from loan_approval.sweep.trial import Setting, adopt, end_trials, finished_trials, open_parent, run_trial

DEATHS = 2  # of its workers that a trial may survive: at the third death it is taken for the cause
WORKER_SECONDS = 60  # to wait for a cluster's first worker, or for the replacement of a dead one
LOCAL = ("localhost", "127.0.0.1", "::1")


def run_sweep(dataset: str, plan: Plan, reports: Path, workers: int | None, time_limit: float) -> Board:
    """Run those of a plan's trials that are not done, and rank all; the page is written below `reports` and to MLflow.

    Failed trials are named in the result. Raises ParameterError, DataError, SweepError before anything is started.
    """
    scheduler = os.environ.get("DASK_SCHEDULER_ADDRESS", "")
    host = urlsplit(scheduler if "://" in scheduler else f"tcp://{scheduler}").hostname
    if scheduler and host not in LOCAL and not is_server(tracking_uri()):
        expected = "expected MLFLOW_TRACKING_URI=http(s)://…"
        raise SweepError(f"the workers of {scheduler} can't reach a database on this machine, {expected}")
    data = load_dataset(dataset)
    surroundings = find_surroundings(data.sha256, dataset_folder(dataset) / "contract.toml")
    trials = make_trials(plan, surroundings)
    check_trials(trials, data.contract)
    client, sweep = tracking.connect(), sweep_id(trials)
    experiment = tracking.find_experiment(data.contract.experiment)
    keys = [trial.key for trial in trials]
    done = finished_trials(experiment, keys)
    tags = {"dataset": data.name, "data_sha256": data.sha256, "data_md5": data.md5, **git_state()}
    parent = open_parent(client, experiment, sweep, f"sweep of {data.name}", tags)
    try:
        adopt(client, done.values(), parent, sweep)
        missing = [trial for trial in trials if trial.key not in done]
        counts = f"{len(trials)} trials, {len(done)} done before, {len(missing)} to run"
        print(f"sweep {sweep} on {data.name}: {counts}", flush=True)
        setting = Setting(dataset, surroundings, tracking_uri(), parent, sweep, time_limit)
        failures = run_trials(setting, missing, workers) if missing else []
        done = finished_trials(experiment, keys)
        board = make_board(sweep, dataset, parent, trials, done, failures)
        pages = write_board(board, reports / data.name)
        for name, value in board.metrics().items():
            client.log_metric(parent, name, value)
        for page in pages:
            client.log_artifact(parent, str(page))
        client.set_terminated(parent, "FAILED" if failures else "FINISHED")
    except BaseException as err:
        client.set_terminated(parent, "FAILED" if isinstance(err, Exception) else "KILLED")
        raise
    return board


def run_trials(setting: Setting, trials: Sequence[Trial], workers: int | None) -> list[Failure]:
    """Run trials on Dask with a progress bar, naming each failure as it comes; returns the failures.

    A trial whose worker dies is run again by another one, a failed trial is not. On an error the kernels end too.
    """
    with serving() as address, _connect(min(workers or CPU_COUNT, len(trials))) as client:
        setting = replace(setting, tracking=address)
        submitted = {}
        for trial in trials:
            key = f"trial-{trial.key}"
            submitted[client.submit(run_trial, setting, trial.key, dict(trial.parameters), key=key, pure=False)] = trial
        try:
            return list(_follow(submitted))
        except BaseException:  # such as Ctrl-C: a trial is a process of its own, which outlives its worker
            with suppress(OSError, TimeoutError):
                client.cancel(list(submitted))
                client.run(end_trials, setting.sweep)
            raise


def _follow(submitted: dict[Future, Trial]) -> Iterator[Failure]:
    with tqdm(total=len(submitted), desc="sweep", unit="trial") as bar:
        for future in as_completed(submitted):
            if future.status != "finished":
                failure = Failure(submitted[future], _reason(future))
                bar.write(f"failed: {failure.trial}: {failure.reason}", file=sys.stderr)
                yield failure
            bar.update()


def _reason(future: Future) -> str:
    if future.status != "error":
        return f"{future.status}: the scheduler dropped it"
    err = future.exception()
    if isinstance(err, KilledWorker):
        return "each worker that ran it died"
    return f"{type(err).__name__}: {err}"


@contextmanager
def _connect(workers: int) -> Iterator[Client]:
    # No task waits at a busy worker: Dask would count it as tried when that worker dies.
    with (
        dask.config.set({"distributed.scheduler.worker-saturation": 1.0}),
        dask_client(
            SweepError,
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # a limit would apply to the worker, which only waits for the kernel
            silence_logs=logging.ERROR,  # a dead worker is replaced, and a trial that fails by it is named
            scheduler_kwargs={"allowed_failures": DEATHS},
        ) as client,
    ):
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as err:
            raise SweepError(f"the Dask scheduler at {client.scheduler.address} has no workers") from err
        yield client
        if client.cluster:  # closing a local one raises while a dead worker is being replaced: wait until all are there
            with suppress(TimeoutError):
                client.wait_for_workers(workers, timeout=WORKER_SECONDS)
