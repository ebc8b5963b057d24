"""Supervisors of real processes, each in a Python of its own, so that no test forks the test runner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
BEGIN = """
import logging, os, signal, sys, time
from serve.http.supervisor import Child, Supervisor

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")


def say(text):
    os.write(1, f"{text} {os.getpid()}\\n".encode())


def well(beat):
    say("begun")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        beat()
        time.sleep(0.01)


def deaf(beat):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    well_enough(beat)


def well_enough(beat):
    say("begun")
    while True:
        beat()
        time.sleep(0.01)


def failing(beat):
    say("begun")
    raise LookupError("secret")


def died(child):
    say(f"died {child.pid}")

"""


class Supervised:
    """A running supervisor and its output."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def next(self, word: str) -> int:
        """Return the number in the next line that begins with a word."""
        line = self.process.stdout.readline()
        assert line.startswith(word), (line, word)
        return int(line.split()[1])

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM; return the exit code and what was logged."""
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.read()
        return self.process.wait(60), self.process.stderr.read()


@pytest.fixture
def supervise() -> Iterator[Callable[[str], Supervised]]:
    """Return a function that starts the supervisor of an expression."""
    processes = []

    def start(expression: str) -> Supervised:
        script = f"{BEGIN}sys.exit({expression}.run())"
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return Supervised(process)

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stderr.close()


def wait_until_gone(pids: set[int]) -> None:
    """Return when no such process runs; one that nobody has waited for counts as gone."""
    wait_until(lambda: not any(map(is_running, pids)))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_at_sigterm_it_ends_its_children_and_returns_0(supervise):
    running = supervise('Supervisor([Child("a", well), Child("b", well)], 5, died)')
    pids = {running.next("begun"), running.next("begun")}
    code, log = running.stop()
    assert (code, log) == (0, "")
    wait_until_gone(pids)


def test_a_child_that_ends_is_reported_and_started_again(supervise):
    running = supervise('Supervisor([Child("a", well)], 5, died)')
    first = running.next("begun")
    os.kill(first, signal.SIGKILL)
    assert running.next("died") == first
    assert running.next("begun") != first
    assert running.stop() == (0, "a is started again\n")


def test_a_child_that_fails_is_logged_and_not_started_in_a_tight_loop(supervise):
    running = supervise('Supervisor([Child("a", failing)], 5, died)')
    begun = time.monotonic()
    for _ in range(3):
        pid = running.next("begun")
        assert running.next("died") == pid
    assert time.monotonic() - begun > 1.5  # two pauses of a second, but for the clock's grain
    code, log = running.stop()
    assert code == 0
    assert "a failed" in log


def test_a_child_that_hangs_is_killed_and_replaced(supervise):
    running = supervise('Supervisor([Child("a", well)], 5, died, hung_seconds=0.3)')
    first = running.next("begun")
    os.kill(first, signal.SIGSTOP)
    assert running.next("died") == first
    assert running.next("begun") != first
    code, log = running.stop()
    assert code == 0
    assert "a has hung for 0.3 s and is killed" in log


def test_a_child_that_does_not_end_is_killed_after_the_limit_and_the_code_is_1(supervise):
    running = supervise('Supervisor([Child("a", deaf), Child("b", well)], -4.5, died)')  # half a second with the grace
    pids = {running.next("begun"), running.next("begun")}
    code, log = running.stop()
    assert (code, log) == (1, "killed, too late: a\n")
    wait_until_gone(pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_after_the_start_ends_it(supervise, number):
    running = supervise('Supervisor([Child("a", well)], 5, died)')
    running.next("begun")
    running.process.send_signal(number)
    assert running.process.wait(60) == 0
