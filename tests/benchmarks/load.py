"""Load on a server that answers: wrk with single rows, and one client with batches."""

import http.client
import json
import math
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.model import Made, Questions
from tests.benchmarks.process import DEADLINE, LOAD_CORE, NoAnswer, Running, ask
from tests.benchmarks.wire import Wire

SCRIPT = Path(__file__).with_name("cycle.lua")
CHECKED = 50  # single rows whose answers are compared before anything is measured
FEWEST_BATCHES = 3
LONGEST_FLOOD = 600  # seconds


@dataclass(frozen=True)
class Point:
    """One server under one load. `cpu_us` is CPU time of the whole server a request, `busy` its share of the time that
    went by (1 = a whole core), `refused` the answers other than 2xx and 3xx, `failed` those and the broken or timed-out
    connections.
    """

    requests: int
    per_second: float
    cpu_us: float
    busy: float
    p50_ms: float
    p99_ms: float
    failed: int
    refused: int = 0


@dataclass(frozen=True)
class Batch:
    """One server answering one kind of batch."""

    rows_per_second: float
    cpu_us_a_row: float


def put_load(server: Running, wire: Wire, bodies: Path, connections: int, seconds: int) -> Point:
    """Let wrk ask in turn what stands in the lines of `bodies`, over keep-alive connections."""
    before = server.cpu_seconds()
    command = _wrk(server, wire, bodies, connections, seconds, patience=10)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return read_point(done.stdout, server.cpu_seconds() - before)


@contextmanager
def flooding(server: Running, wire: Wire, bodies: Path, connections: int) -> Iterator[list[Point]]:
    """Put the same load until the block ends, then append to the list what came of it.

    It gives way to whatever else runs on the load's core, which is then not what others have to wait for.
    """
    points: list[Point] = []
    before = server.cpu_seconds()
    command = ["nice", "-n", "19", *_wrk(server, wire, bodies, connections, LONGEST_FLOOD, LONGEST_FLOOD)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
        try:
            yield points
        finally:
            flood.send_signal(signal.SIGINT)
            printed, _ = flood.communicate()
    points.append(read_point(printed, server.cpu_seconds() - before))


def _wrk(server: Running, wire: Wire, bodies: Path, connections: int, seconds: int, patience: int) -> list[str]:
    command = ["taskset", "-c", LOAD_CORE, "wrk", "--threads", 1, "--connections", connections]
    command += ["--duration", f"{seconds}s", "--timeout", f"{patience}s", "--script", SCRIPT]
    return list(map(str, [*command, f"http://127.0.0.1:{server.port}{wire.path}", "--", bodies]))


def read_point(printed: str, cpu_seconds: float) -> Point:
    """Return the point from what wrk and its script printed."""
    said = json.loads(printed.strip().splitlines()[-1])
    requests, seconds = said["requests"], said["seconds"]
    return Point(
        requests,
        requests / seconds,
        cpu_seconds / requests * 1e6 if requests else math.nan,
        cpu_seconds / seconds,
        said["p50_ms"],
        said["p99_ms"],
        said["refused"] + said["broken"],
        said["refused"],
    )


def check_answers(server: Running, wire: Wire, made: Made, questions: Questions) -> None:
    """Raise NoAnswer unless the first questions, one by one, are decided as they must be."""
    some = questions.first(CHECKED)
    for row, code in zip(some.rows, some.codes, strict=True):
        _check(*ask(server.port, wire.path, wire.encode([row]), wire.content_type), wire, made, [code])


def _check(status: int, answer: bytes, wire: Wire, made: Made, codes: list[int]) -> None:
    if status != 200:
        raise NoAnswer(f"{status} {answer[:200].decode(errors='replace')}")
    decided = wire.decode(answer, made.threshold)
    if decided != codes:
        apart = sum(a != b for a, b in zip(decided, codes, strict=False))
        raise NoAnswer(f"{len(decided)} answers to {len(codes)} rows, {apart} of them decided otherwise")


def put_batches(server: Running, wire: Wire, made: Made, questions: Questions, seconds: float) -> Batch:
    """Send one batch again and again on one connection, after its answer was compared. Raises NoAnswer."""
    body = wire.encode(questions.rows)
    headers = {"Content-Type": wire.content_type}
    times: list[float] = []
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)) as connection:

        def send() -> tuple[int, bytes]:
            connection.request("POST", wire.path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()

        _check(*send(), wire, made, questions.codes)
        before = server.cpu_seconds()
        while len(times) < FEWEST_BATCHES or sum(times) < seconds:
            began = time.perf_counter()
            status, answer = send()
            times.append(time.perf_counter() - began)
            if status != 200:
                raise NoAnswer(f"{status} {answer[:200].decode(errors='replace')}")
        cpu = server.cpu_seconds() - before
    rows = len(questions.rows)
    return Batch(rows / statistics.median(times), cpu / len(times) / rows * 1e6)
