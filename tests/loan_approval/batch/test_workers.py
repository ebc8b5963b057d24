"""Workers that fail: what is tried again, how often, and what is said then."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loan_approval.batch.workers import ATTEMPTS, run_on_workers
from loan_approval.errors import BatchError, DataError


@dataclass(frozen=True)
class Errand:
    """A task that goes wrong in a way until it has been tried `failures` times; `folder` keeps the tries."""

    words: str
    way: str = "well"
    failures: int = 0


def make_errands(folder: Path) -> Callable[[Errand], int]:
    """Return what does an errand in a worker: its answer is the worker's process."""

    def run(errand: Errand) -> int:
        (folder / f"{errand.words}-{len(list(folder.glob(f'{errand.words}-*')))}").touch()
        if len(list(folder.glob(f"{errand.words}-*"))) <= errand.failures:
            if errand.way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if errand.way == "data":
                raise DataError("the file is not what it was")
            raise OSError("the disk is gone")
        return os.getpid()

    return run


def tries(folder: Path, words: str) -> int:
    return len(list(folder.glob(f"{words}-*")))


def test_each_task_is_done_once_and_a_failed_one_again(tmp_path):
    errands = [Errand("first", "killed", 1), *(Errand(f"task{i}") for i in range(5)), Errand("last", "disk", 2)]
    results = dict(run_on_workers(make_errands, (tmp_path,), errands, 2))
    assert set(results) == set(errands)
    assert [tries(tmp_path, errand.words) for errand in errands] == [2, 1, 1, 1, 1, 1, 3]
    for process in set(results.values()):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.parametrize(
    ("way", "reason"), [("killed", "its worker ended with status -9"), ("disk", "the disk is gone")]
)
def test_a_task_that_goes_on_failing_is_named(tmp_path, way, reason):
    with pytest.raises(BatchError, match=f"worst: failed {ATTEMPTS} times, at last: .*{reason}"):
        list(run_on_workers(make_errands, (tmp_path,), [Errand("worst", way, 99), Errand("other")], 2))
    assert tries(tmp_path, "worst") == ATTEMPTS


def test_data_at_fault_are_not_tried_again(tmp_path):
    with pytest.raises(DataError, match="the file is not what it was"):
        list(run_on_workers(make_errands, (tmp_path,), [Errand("wrong", "data", 99)], 1))
    assert tries(tmp_path, "wrong") == 1
