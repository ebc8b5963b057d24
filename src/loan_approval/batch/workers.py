"""Threads that share a list of tasks; a task is repeated when a disk or a network fails.

Nine tenths of a batch's time is onnxruntime's, most of the rest Arrow's; both release the interpreter's lock, so
threads are as fast as processes would be, and each further process would cost 130 MB.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from loan_approval.errors import BatchError

MOST_WORKERS = 8  # about 200 MB with one, 30 MB for each more, 130 MB for Dask: under 600 MB on any machine
ATTEMPTS = 3


def run_on_workers(work: Callable[[Any], Any], tasks: Sequence[Any], workers: int) -> Iterator[Any]:
    """Yield the result of each task as it is done.

    Raises BatchError that names a task by its `words` when it failed `ATTEMPTS` times; any other error than that of a
    disk or network is raised at once. Running tasks are then finished, waiting ones are not begun.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(_attempt, work, task) for task in tasks]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _attempt(work: Callable[[Any], Any], task: Any) -> Any:
    last: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            return work(task)
        except (BatchError, OSError, MemoryError) as err:
            last = err
    raise BatchError(f"{task.words}: failed {ATTEMPTS} times, at last: {last}") from last
