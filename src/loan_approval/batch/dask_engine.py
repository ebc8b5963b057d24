"""A batch's shards on Dask: the scheduler that DASK_SCHEDULER_ADDRESS names, or one made here."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

from dask import config
from distributed import Client, KilledWorker, LocalCluster, as_completed

from loan_approval.batch.part import Counts, Task, score_shard
from loan_approval.batch.shards import Shard
from loan_approval.errors import BatchError
from serve.model.scorer import Scorer

RETRIES = 2
PATIENCE = 20  # seconds until a scheduler answers
_LIMITS = {
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.admin.large-graph-warning-threshold": "1 GB",  # a model file in it is not too large
}


def run_on_dask(data: bytes, task: Task, shards: Sequence[Shard], workers: int) -> Iterator[tuple[Shard, Counts]]:
    """Yield each shard and its counts as they come; data: the model file. Raises BatchError, DataError.

    Workers reach the input and the output by the same addresses as this process. A shard that failed, or whose worker
    died, is tried again; one that goes on so is named.
    """
    with ExitStack() as stack:
        stack.enter_context(config.set(_LIMITS))
        client = stack.enter_context(_connect(stack, workers))
        # A task's result, not scattered data: what dies with its last worker is made again.
        model = client.submit(bytes, data, key=f"model-{task.job}", retries=RETRIES)
        futures = {
            client.submit(_score, shard, task, model, key=shard.part(task.job), retries=RETRIES): shard
            for shard in shards
        }
        try:
            for future, counts in as_completed(futures, with_results=True):
                yield futures[future], counts
        except KilledWorker as err:
            named = next((shard.words for shard in shards if shard.part(task.job) == str(err.task)), str(err.task))
            raise BatchError(f"{named}: each worker it was given to died") from err
        finally:
            client.cancel(list(futures))


def _connect(stack: ExitStack, workers: int) -> Client:
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if not address:
        # One process, which is started again if it dies: another costs 190 MB, a thread costs what it scores.
        cluster: Any = LocalCluster(
            n_workers=1,
            threads_per_worker=workers,
            processes=True,
            dashboard_address=None,
            security=True,  # other users of this machine could have the worker run anything
        )
        return Client(stack.enter_context(cluster))
    try:
        return Client(address, timeout=PATIENCE)
    except OSError as err:
        raise BatchError(f"DASK_SCHEDULER_ADDRESS={address}: no scheduler answers there") from err


def _score(shard: Shard, task: Task, data: bytes) -> Counts:
    return score_shard(shard, task, _scorer(data))


@lru_cache(maxsize=2)
def _scorer(data: bytes) -> Scorer:
    return Scorer(data)
