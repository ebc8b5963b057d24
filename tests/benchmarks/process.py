"""A server as a process tree: started on its cores, watched through /proc, gone at the end."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.model import Made
from tests.benchmarks.servers import FOR_ALL, Server
from tests.server_process import find_free_port

LOAD_CORE, SERVER_CORE = "0", "1"
DEADLINE = 90  # seconds for a first answer
PATH = f"{os.environ['PATH']}:/usr/sbin"  # where Debian puts nginx
TICKS = os.sysconf("SC_CLK_TCK")
STARTING = (404, 503)  # what a server may answer that has not loaded its model yet
LOG_SHOWN = 2_000  # characters


def check_machine(*tools: str) -> None:
    """Exit with what is missing of programs and cores, if anything is."""
    missing = [tool for tool in (*tools, "taskset") if not shutil.which(tool, path=PATH)]
    if missing:
        sys.exit(f"benchmarks: not on PATH: {', '.join(missing)}; tests/benchmarks/install_tools.sh installs them")
    if not {int(LOAD_CORE), int(SERVER_CORE)} <= os.sched_getaffinity(0):
        sys.exit(f"benchmarks: expected cores {LOAD_CORE} and {SERVER_CORE}, for the load and for the servers")


class NoAnswer(Exception):
    """A server did not come up, or answered something else; the message says what it said."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    pid: int
    log: Path
    first_answer: float

    def cpu_seconds(self) -> float:
        """Return user and system time of all its processes so far."""
        # After the name in parentheses, which may hold blanks: field 3; 14 and 15 are utime and stime.
        fields = [stat.rpartition(")")[2].split() for stat in map(_stat, self.pids())]
        return sum(int(field[11]) + int(field[12]) for field in fields if field) / TICKS

    def memory(self) -> tuple[float, float]:
        """Return the sums of RSS and PSS of all its processes in MB (10^6 bytes); shared pages count once in PSS."""
        rss = pss = 0
        for pid in self.pids():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                    name, kilobytes, *_ = line.split()
                    rss += int(kilobytes) * (name == "Rss:")
                    pss += int(kilobytes) * (name == "Pss:")
        return rss * 1024 / 1e6, pss * 1024 / 1e6

    def pids(self) -> list[int]:
        """Return the processes of its session: the first one's and all its descendants that did not leave it."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in pids if _session(pid) == self.pid]


def _stat(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text()
    return ""


def _session(pid: int) -> int | None:
    fields = _stat(pid).rpartition(")")[2].split()
    return int(fields[3]) if fields and fields[0] != "Z" else None


@contextmanager
def running(server: Server, made: Made, folder: Path, body: bytes) -> Iterator[Running]:
    """Start a server, wait until it answers `body` with 200, and kill all of it when the block ends.

    Raises NoAnswer.
    """
    folder.mkdir(parents=True)
    port, log = find_free_port(), folder / "server.log"
    start = server.start(made, port, folder)
    cores = SERVER_CORE if server.cores == 1 else f"{LOAD_CORE},{SERVER_CORE}"
    environment = {"PATH": PATH, "HOME": str(folder)} | FOR_ALL | dict(start.environment)
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *start.command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # `Running.pids` and the end go by it
        )
    try:
        _await_answer(process, port, server, body, log)
        yield Running(port, process.pid, log, time.perf_counter() - began)
    finally:
        _kill(process)


def _await_answer(process: subprocess.Popen, port: int, server: Server, body: bytes, log: Path) -> None:
    deadline, said = time.monotonic() + DEADLINE, f"no answer in {DEADLINE} s"
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            status, answer = ask(port, server.wire.path, body, server.wire.content_type)
            if status == 200:
                return
            if status not in STARTING:
                said = f"it refuses: {status} {answer[:200]!r}"
                break
        time.sleep(0.005)
    tail = log.read_text(errors="replace")[-LOG_SHOWN:]
    raise NoAnswer(f"{said}; exit code {process.poll()}; its log:\n{tail}")


def ask(port: int, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    """POST once on a connection of its own; return status and body."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        connection.request("POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()


def _kill(process: subprocess.Popen) -> None:
    # Nothing is to be drained: killed at once, the first one (which starts others) before the rest.
    left = Running(0, process.pid, Path(), 0.0)
    process.kill()
    process.wait()
    while pids := left.pids():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
