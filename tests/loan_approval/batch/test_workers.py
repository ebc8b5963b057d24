"""Which failures are tried again and how often, and the error at last."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from loan_approval.batch.workers import ATTEMPTS, run_on_workers
from loan_approval.errors import BatchError, DataError


@dataclass(frozen=True)
class Errand:
    """A task that raises an error until it has been tried `failures` times."""

    words: str
    trouble: type[Exception] = OSError
    failures: int = 0


@pytest.fixture
def tries() -> list[str]:
    """Return the words of every errand that was tried, in order."""
    return []


@pytest.fixture
def run(tries) -> Callable[[Errand], str]:
    """Return what does an errand: its result is the errand's words."""

    def run(errand: Errand) -> str:
        tries.append(errand.words)
        if tries.count(errand.words) <= errand.failures:
            raise errand.trouble("the disk is gone")
        return errand.words

    return run


@pytest.mark.parametrize("trouble", [OSError, BatchError, MemoryError])
def test_each_task_is_done_once_and_a_failed_one_again(run, tries, trouble):
    errands = [Errand("first", trouble, 1), *(Errand(f"task{i}") for i in range(5)), Errand("last", trouble, 2)]
    assert set(run_on_workers(run, errands, 2)) == {errand.words for errand in errands}
    assert [tries.count(errand.words) for errand in errands] == [2, 1, 1, 1, 1, 1, 3]


def test_tasks_are_done_at_the_same_time():
    meeting = threading.Barrier(2, timeout=30)
    assert sorted(run_on_workers(lambda _: meeting.wait(), [Errand("a"), Errand("b")], 2)) == [0, 1]


def test_a_task_that_goes_on_failing_is_named(run, tries):
    with pytest.raises(BatchError, match=f"worst: failed {ATTEMPTS} times, at last: the disk is gone"):
        list(run_on_workers(run, [Errand("worst", failures=99), Errand("other")], 2))
    assert tries.count("worst") == ATTEMPTS


def test_data_at_fault_are_not_tried_again_and_what_waits_is_not_begun(run, tries):
    with pytest.raises(DataError, match="the disk is gone"):
        list(run_on_workers(run, [Errand(f"wrong{i}", DataError, 99) for i in range(50)], 1))
    assert tries.count("wrong0") == 1
    assert len(tries) < 50
