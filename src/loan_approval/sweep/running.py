"""Sweeps: many runs of the training notebook on Dask, each done once, collected under one MLflow run and ranked."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster, as_completed
from distributed.scheduler import KilledWorker
from tqdm import tqdm

from loan_approval.data.datasets import Dataset, dataset_folder, load_dataset
from loan_approval.errors import SweepError
from loan_approval.project import git_state
from loan_approval.registry import tracking
from loan_approval.registry.tracking_server import is_server, serving, tracking_uri
from loan_approval.sweep import runs
from loan_approval.sweep.leaderboard import Board, Failure, make_board, write_board
from loan_approval.sweep.plan import Plan, Trial, check_trials, find_surroundings, make_trials, sweep_id
from loan_approval.sweep.trial import Setting, end_trials, run_trial

DEATHS = 2  # of workers that a trial may outlive: the third takes it for the cause
WORKER_LIMIT = 60  # seconds to wait for a cluster's first worker, or for one in a dead one's place
LOCAL = ("localhost", "127.0.0.1", "::1")


def run_sweep(dataset: str, plan: Plan, reports: Path, workers: int | None, time_limit: float) -> Board:
    """Run what is missing of a plan's trials, and rank all of them; the page lands below `reports` and in MLflow.

    Failed trials are named in the result. Raises ParameterError, DataError, SweepError before anything is started.
    """
    _check_reach(os.environ.get("DASK_SCHEDULER_ADDRESS", ""), tracking_uri())
    data = load_dataset(dataset)
    surroundings = find_surroundings(data.sha256, dataset_folder(dataset) / "contract.toml")
    trials = make_trials(plan, surroundings)
    check_trials(trials, data.contract)
    client, sweep = tracking.connect(), sweep_id(trials)
    experiment = tracking.find_experiment(data.contract.experiment)
    keys = [trial.key for trial in trials]
    done = runs.finished_trials(client, experiment, keys)
    parent = runs.open_parent(client, experiment, sweep, f"sweep of {data.name}", _tags(data))
    try:
        runs.adopt(client, done.values(), parent, sweep)
        missing = [trial for trial in trials if trial.key not in done]
        counts = f"{len(trials)} trials, {len(done)} done before, {len(missing)} to run"
        print(f"sweep {sweep} on {data.name}: {counts}", flush=True)
        setting = Setting(dataset, surroundings, tracking_uri(), parent, sweep, time_limit)
        failures = run_trials(setting, missing, workers) if missing else []
        done = runs.finished_trials(client, experiment, keys)
        board = make_board(sweep, dataset, parent, trials, done, failures)
        pages = write_board(board, reports / data.name)
        runs.close_parent(client, parent, "FAILED" if failures else "FINISHED", board.metrics(), pages)
    except BaseException as err:
        client.set_terminated(parent, "FAILED" if isinstance(err, Exception) else "KILLED")
        raise
    return board


def _tags(data: Dataset) -> dict[str, str]:
    return {"dataset": data.name, "data_sha256": data.sha256, "data_md5": data.md5, **git_state()}


def _check_reach(scheduler: str, tracking_address: str) -> None:
    host = urlsplit(scheduler if "://" in scheduler else f"tcp://{scheduler}").hostname
    if scheduler and host not in LOCAL and not is_server(tracking_address):
        raise SweepError(
            f"the workers of {scheduler} can't reach a database on this machine, expected MLFLOW_TRACKING_URI=http(s)://…"
        )


def run_trials(setting: Setting, trials: Sequence[Trial], workers: int | None) -> list[Failure]:
    """Run trials on Dask with a progress bar, naming each failure as it comes; returns the failures.

    A trial whose worker dies is run again by another, a trial that fails is not. Ended early, the kernels end too.
    """
    with serving() as address, _connect(min(workers or CPU_COUNT, len(trials))) as client:
        setting = replace(setting, tracking=address)
        submitted = {}
        for trial in trials:
            asked = (setting, trial.key, dict(trial.parameters))
            submitted[client.submit(run_trial, *asked, key=f"trial-{trial.key}", pure=False)] = trial
        try:
            return list(_follow(submitted))
        except BaseException:  # Ctrl-C: a trial is a process of its own, which goes on when its worker is closed
            with contextlib.suppress(OSError, TimeoutError):
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
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address:
        # No task waits at a worker that is busy, where it would be counted as tried when that one dies.
        with (
            dask.config.set({"distributed.scheduler.worker-saturation": 1.0}),
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,  # it would count the worker, which does nothing but wait for the kernel
                dashboard_address=None,
                silence_logs=logging.ERROR,  # a worker that died is replaced, and what fails for it is named
                security=True,  # other users of this machine could have the workers run anything
                scheduler_kwargs={"allowed_failures": DEATHS},
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
            # Closing while a worker that died is being replaced raises: wait until all are there again.
            with contextlib.suppress(TimeoutError):
                client.wait_for_workers(workers, timeout=WORKER_LIMIT)
        return
    try:
        client = Client(address)
    except (OSError, ValueError) as err:
        raise SweepError(f"no Dask scheduler at {address} (DASK_SCHEDULER_ADDRESS): {err}") from err
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKER_LIMIT)
        except TimeoutError as err:
            raise SweepError(f"the Dask scheduler at {address} has no workers") from err
        yield client
