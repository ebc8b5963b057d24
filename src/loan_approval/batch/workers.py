"""Processes that share a list of tasks; one that dies costs its task an attempt, and the others nothing.

Each is started afresh, never forked: a session of onnxruntime does not survive a fork.
"""

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from loan_approval.errors import BatchError, LoanApprovalError
from serve.errors import ServeError

ATTEMPTS = 3
Work = Callable[[Any], Any]


class _Worker:
    """A process at work on one task at a time."""

    def __init__(self, begin: Callable[..., Work], arguments: Sequence[Any]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, begin, arguments), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends with the process
        self.task: Any = None

    def give(self, task: Any) -> None:
        self.task = task
        with suppress(OSError):  # it is dead: its pipe will say so
            self.pipe.send(task)

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def run_on_workers(
    begin: Callable[..., Work], arguments: Sequence[Any], tasks: Sequence[Any], workers: int
) -> Iterator[tuple[Any, Any]]:
    """Yield each task and its result as they come; `begin(*arguments)` makes, in each process, what does a task.

    A task that a worker died on, or whose files failed, is tried again, `ATTEMPTS` times in all. Raises BatchError that
    names it by its `words` then, and at once what a task itself is at fault for.
    """
    waiting = deque(tasks)
    attempts: dict[Any, int] = {}
    crew = [_Worker(begin, arguments) for _ in range(min(workers, len(tasks)))]
    try:
        for worker in crew:
            worker.give(waiting.popleft())
        while busy := [worker for worker in crew if worker.task is not None]:
            for pipe in wait([worker.pipe for worker in busy]):
                worker = next(worker for worker in busy if worker.pipe is pipe)
                done, result = _receive(worker)
                if done:
                    yield worker.task, result
                else:
                    attempts[worker.task] = attempts.get(worker.task, 0) + 1
                    _check_attempts(worker.task, attempts[worker.task], result)
                    waiting.append(worker.task)
                if not worker.process.is_alive() or isinstance(result, EOFError):
                    worker.stop()
                    crew[crew.index(worker)] = worker = _Worker(begin, arguments)
                worker.task = None
                if waiting:
                    worker.give(waiting.popleft())
    finally:
        for worker in crew:
            worker.stop()


def _receive(worker: _Worker) -> tuple[bool, Any]:
    """Return whether the task is done, and its result or what went wrong. Raises what trying again won't mend."""
    try:
        done, result = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return False, EOFError(f"its worker ended with status {worker.process.exitcode}")
    if not done and isinstance(result, LoanApprovalError | ServeError) and not isinstance(result, BatchError):
        raise result
    return done, result


def _check_attempts(task: Any, attempts: int, trouble: Exception) -> None:
    if attempts >= ATTEMPTS:
        raise BatchError(f"{task.words}: failed {attempts} times, at last: {trouble}") from trouble


def _serve(pipe: Connection, begin: Callable[..., Work], arguments: Sequence[Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    sys.modules.setdefault("pandas", None)  # pyarrow would import it just to ask whether a value is of its types
    work = begin(*arguments)
    while True:
        try:
            task = pipe.recv()
        except EOFError:  # the parent has ended, or has no more
            return
        try:
            answer = (True, work(task))
        except Exception as err:  # noqa: BLE001 (the parent decides which to try again)
            answer = (False, _plain(err))
        try:
            pipe.send(answer)
        except OSError:
            return


def _plain(err: Exception) -> Exception:
    """Return an error that can be sent: ours as it is, any other as its text."""
    return err if isinstance(err, LoanApprovalError) else BatchError(f"{type(err).__name__}: {err}")
