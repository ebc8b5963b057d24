"""The parent process: keeps its children running, and ends them all at SIGTERM.

It imports neither Flask nor onnxruntime: it stays small, and an onnxruntime session does not survive a fork.
"""

import logging
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

HUNG_SECONDS = 30.0  # without a beat
GRACE_SECONDS = 5.0  # between the workers' own limit and SIGKILL
ENDS = {signal.SIGTERM, signal.SIGINT}
SIGNALS = ENDS | {signal.SIGCHLD}
log = logging.getLogger(__name__)


@dataclass
class Child:
    """A process to keep running: `run` is called in it with a function that it calls to show that it is not hung."""

    name: str
    run: Callable[[Callable[[], None]], None]
    pid: int = 0
    started: float = 0.0


@dataclass
class Supervisor:
    """Runs children until SIGTERM or SIGINT."""

    children: list[Child]
    drain_seconds: float
    on_death: Callable[[Child], None]  # called with each child that has ended
    hung_seconds: float = HUNG_SECONDS

    def run(self) -> int:
        """Return the exit code: 0 when all children ended by themselves after SIGTERM."""
        self._beats = memoryview(mmap.mmap(-1, 8 * len(self.children))).cast("d")  # shared: the last beat of each
        self._signals, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)  # the number in the pipe is what counts
        while True:
            for index, child in enumerate(self.children):
                if not child.pid and time.monotonic() - child.started > 1:  # not in a tight loop
                    self._start(index, child)
            if self._wait(1) & ENDS:
                return self._stop()
            self._reap()
            self._end_hung()

    def _wait(self, seconds: float) -> set[int]:
        """Return the signals that came, at the latest after so many seconds."""
        if not select.select([self._signals], [], [], seconds)[0]:
            return set()
        return set(os.read(self._signals, 4096))

    def _start(self, index: int, child: Child) -> None:
        if child.started:
            log.warning("%s is started again", child.name)
        child.started = time.monotonic()
        self._beat(index)
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal that reached the child before it has handlers of its own would write to the parent's pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        child.pid = os.fork()
        if child.pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            child.run(lambda: self._beat(index))
            code = 0
        except Exception:
            log.exception("%s failed", child.name)
        finally:
            sys.stderr.flush()
            os._exit(code)  # without waiting for threads, or running cleanup of the parent

    def _beat(self, index: int) -> None:
        self._beats[index] = time.monotonic()

    def _reap(self) -> None:
        for child in self.children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                self.on_death(child)
                child.pid = 0

    def _end_hung(self) -> None:
        for index, child in enumerate(self.children):
            if child.pid and time.monotonic() - self._beats[index] > self.hung_seconds:
                log.error("%s has hung for %g s and is killed", child.name, self.hung_seconds)
                os.kill(child.pid, signal.SIGKILL)

    def _stop(self) -> int:
        deadline = time.monotonic() + self.drain_seconds + GRACE_SECONDS
        self._signal(signal.SIGTERM)
        while any(child.pid for child in self.children) and time.monotonic() < deadline:
            self._wait(0.1)
            self._reap()
        late = [child.name for child in self.children if child.pid]
        if late:
            log.error("killed, too late: %s", ", ".join(late))
        self._signal(signal.SIGKILL)
        return 1 if late else 0

    def _signal(self, number: int) -> None:
        for child in self.children:
            if child.pid:
                os.kill(child.pid, number)
