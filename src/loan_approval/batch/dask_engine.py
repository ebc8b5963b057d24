"""A batch's shards on Dask, and a client of the scheduler that DASK_SCHEDULER_ADDRESS names or that is made here."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from dask import config
from distributed import Client, KilledWorker, LocalCluster, as_completed

from loan_approval.batch.part import Counts, Task, score_shard
from loan_approval.batch.shards import Shard
from loan_approval.errors import BatchError, LoanApprovalError
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer

RETRIES = 2
CONNECT_SECONDS = 20  # a scheduler must answer by then
_LIMITS = {
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.admin.large-graph-warning-threshold": "1 GB",  # a graph may hold a model file
}


@contextmanager
def dask_client(error: type[LoanApprovalError], **cluster: Any) -> Iterator[Client]:
    """Yield a client of the scheduler that DASK_SCHEDULER_ADDRESS names, by default of a new local cluster.

    cluster: arguments of the local cluster.   Raises `error` when no scheduler answers.
    """
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address:
        # With security, because other users of this machine could otherwise have the workers run anything.
        with (
            LocalCluster(processes=True, dashboard_address=None, security=True, **cluster) as local,
            Client(local) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as err:
        raise error(f"DASK_SCHEDULER_ADDRESS={address}: no scheduler answers there: {err}") from err
    with client:
        yield client


def run_on_dask(data: bytes, task: Task, shards: Sequence[Shard], workers: int) -> Iterator[Counts]:
    """Yield the counts of each shard as it is done; data: the model file. Raises BatchError, DataError.

    Workers reach the input and the output by the same addresses as this process. A shard that failed, or whose worker
    died, is tried again; BatchError names one that keeps failing.
    """
    # A local cluster is one process, which Dask starts again if it dies: a second one would cost 190 MB.
    with config.set(_LIMITS), dask_client(BatchError, n_workers=1, threads_per_worker=workers) as client:
        # A task's result rather than scattered data: Dask makes it again when its last worker dies.
        model = client.submit(bytes, data, key=f"model-{task.job}", retries=RETRIES)
        by_key = {shard.part(task.job): shard for shard in shards}
        futures = [client.submit(_score, shard, task, model, key=key, retries=RETRIES) for key, shard in by_key.items()]
        try:
            for _, counts in as_completed(futures, with_results=True):
                yield counts
        except KilledWorker as err:
            key = str(err.task)
            task_words = by_key[key].words if key in by_key else key
            raise BatchError(f"{task_words}: each worker that ran it died") from err
        finally:
            client.cancel(futures)


def _score(shard: Shard, task: Task, data: bytes) -> Counts:
    return score_shard(shard, task, *_load(data, task.reasons))


@lru_cache(maxsize=2)
def _load(data: bytes, reasons: bool) -> tuple[Scorer, Explainer | None]:
    scorer = Scorer(data)
    return scorer, Explainer(scorer) if reasons else None
