"""Threads that share a list of tasks: one that fails for a disk's or a network's sake is tried again.

Nine tenths of a batch's time is onnxruntime's, most of the rest Arrow's; both let go of the interpreter's lock, so
threads are as fast as processes would be, and a process more would cost 130 MB.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from loan_approval.errors import BatchError

MOST_WORKERS = 8  # about 200 MB with one, 30 MB for each more, 130 MB for Dask: under 600 MB on any machine
ATTEMPTS = 3


def count_workers(asked: int | None) -> int:
    """Return how many workers to have: as asked, or one a processor, as far as memory goes. Raises BatchError."""
    if asked is not None and not 1 <= asked <= MOST_WORKERS:
        raise BatchError(f"--workers {asked}: expected 1 to {MOST_WORKERS}, so that memory stays bounded")
    return asked or min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def run_on_workers(work: Callable[[Any], Any], tasks: Sequence[Any], workers: int) -> Iterator[tuple[Any, Any]]:
    """Yield each task and its result as they come.

    Raises BatchError that names a task by its `words` when it failed `ATTEMPTS` times, and at once what trying again
    won't mend; what is at work then is finished, what waits is not begun.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(_attempt, work, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _attempt(work: Callable[[Any], Any], task: Any) -> Any:
    trouble: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            return work(task)
        except (BatchError, OSError, MemoryError) as err:
            trouble = err
    raise BatchError(f"{task.words}: failed {ATTEMPTS} times, at last: {trouble}") from trouble
