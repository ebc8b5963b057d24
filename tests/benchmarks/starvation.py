"""`python -m tests.benchmarks.starvation`: what a calm caller feels while others send the dearest requests; Markdown.

This server with one worker on one core, answering with boosting. One caller asks for a prediction, waits for the answer
and a moment longer, and asks again: alone, and while 64 connections repeat one kind of legal request, each as soon as
it has its answer. Each measurement has a server of its own, which nobody has left work behind in. Times are medians
over the rounds; ratios are medians of each round's own.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from serve.settings import Settings
from tests.benchmarks import wire
from tests.benchmarks.facts import describe_machine
from tests.benchmarks.load import Point, flooding
from tests.benchmarks.model import Made, Questions, make_model, make_questions
from tests.benchmarks.process import LOAD_CORE, NoAnswer, ask, check_machine, running
from tests.benchmarks.servers import BOOSTING, Server, ours
from tests.benchmarks.table import markdown, number
from tests.benchmarks.wire import Wire
from tests.load import Load, load
from tests.raw_http import post

SERVER = Server("this server", ours(), model=BOOSTING)
FLOODS = (wire.DECISION, wire.RECORDS, wire.REASONED_RECORDS)
CONNECTIONS = 64
PAUSE = 0.01  # seconds between an answer and the next question
SETTLE = 3  # seconds until a flood has filled the server's queue
SINGLE_ROWS = 1_000  # that decisions with reasons are asked for in turn
TOO_LARGE = 413
ALONE = "nothing"


@dataclass(frozen=True)
class Flood:
    """One kind of request: what is sent to where, and the file of bodies."""

    name: str
    wire: Wire
    bodies: Path


@dataclass(frozen=True)
class Felt:
    """What the calm caller was answered, and what the flood was."""

    answers: int
    failed: int
    p50_ms: float
    p99_ms: float
    flood: Point | None = None


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.starvation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    options = parser.parse_args()
    check_machine("wrk", "nice")
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="starvation-") as folder:
        rounds = _measure(Path(folder), options.rounds, options.seconds)
    print(f"{describe_machine()}; {options.rounds} rounds of {options.seconds} s, load average before it {busy:.1f}\n")
    print(felt_table(rounds))


def _measure(folder: Path, number_of_rounds: int, seconds: int) -> dict[str, list[Felt]]:
    made = make_model(BOOSTING, folder / "model")
    questions = make_questions(made, Settings().max_batch_rows)
    body = wire.APPLICATION.encode(questions.rows[:1])
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    with running(SERVER, made, folder / "probe", body) as server:
        floods = [None, *filter(None, (make_flood(server.port, kind, questions, folder) for kind in FLOODS))]
    rounds: dict[str, list[Felt]] = {}
    for turn in range(number_of_rounds):
        for flood in floods:
            name = flood.name if flood else ALONE
            felt = _feel(made, folder / f"{turn} {name}", flood, body, seconds)
            rounds.setdefault(name, []).append(felt)
            print(f"round {turn + 1} of {number_of_rounds}: {name}: p99 {felt.p99_ms:.1f} ms", file=sys.stderr)
    return rounds


def make_flood(port: int, kind: Wire, questions: Questions, folder: Path) -> Flood | None:
    """Return the dearest requests of a kind that a server takes; None when it does not know the kind."""
    path = folder / f"bodies of {kind.name}"
    if kind is wire.DECISION:
        path.write_bytes(b"".join(kind.encode([row]) + b"\n" for row in questions.rows[:SINGLE_ROWS]))
        return Flood(kind.name, kind, path)
    if kind is wire.REASONED_RECORDS:
        status, answer = ask(port, kind.path, kind.encode(questions.rows[:1]), kind.content_type)
        if status != 200 or b'"reasons"' not in answer:
            print(f"no {kind.name}: this server does not give them", file=sys.stderr)
            return None
    rows = largest_batch(port, kind, questions)
    path.write_bytes(kind.encode(questions.rows[:rows]) + b"\n")
    return Flood(f"{kind.name}: {rows:,} rows, {path.stat().st_size / 1e6:.2g} MB", kind, path)


def largest_batch(port: int, kind: Wire, questions: Questions) -> int:
    """Return the most rows that a server takes in one request, at most those there are. Raises NoAnswer."""
    low, high = 1, len(questions.rows)  # `low` are taken, more than `high` are not
    rows = high
    while low < high:
        status, answer = ask(port, kind.path, kind.encode(questions.rows[:rows]), kind.content_type)
        if status not in (200, TOO_LARGE):
            raise NoAnswer(f"{rows} rows: {status} {answer[:200].decode(errors='replace')}")
        low, high = (rows, high) if status == 200 else (low, rows - 1)
        rows = (low + high + 1) // 2
    return low


def _feel(made: Made, folder: Path, flood: Flood | None, body: bytes, seconds: int) -> Felt:
    with running(SERVER, made, folder, body) as server:
        flooded = flooding(server, flood.wire, flood.bodies, CONNECTIONS) if flood else nullcontext([None])
        with flooded as points:
            time.sleep(SETTLE)
            with load(server.port, 1, post(body), pause=PAUSE) as calm:
                time.sleep(seconds)
    return felt_by(calm, points[0])


def felt_by(calm: Load, flood: Point | None = None) -> Felt:
    """Return what a caller felt: times of its answers with success, NaN when there was none."""
    times = sorted(1e3 * took for took, answer in zip(calm.seconds, calm.answers, strict=True) if answer.status == 200)
    failed = len(calm.answers) - len(times) + len(calm.broken)
    p50, p99 = (times[int(len(times) * share)] if times else math.nan for share in (0.5, 0.99))
    return Felt(len(times), failed, p50, p99, flood)


def felt_table(rounds: Mapping[str, Sequence[Felt]]) -> str:
    """Return the table: what the flood sends, how it is answered, and what the calm caller felt beside it."""
    head = [f"{CONNECTIONS} connections send", "answers/s to them", "refused", "calm answers", "failed"]
    return markdown([*head, "p50 ms", "x alone", "p99 ms", "x alone"], [_row(name, rounds) for name in rounds])


def _row(name: str, rounds: Mapping[str, Sequence[Felt]]) -> list[str]:
    felt, alone = rounds[name], rounds[ALONE]
    floods = [one.flood for one in felt if one.flood]
    answered = [flood.per_second * (1 - flood.refused / max(1, flood.requests)) for flood in floods]
    cells = [number(np.median(answered)), f"{sum(flood.refused for flood in floods):,}"] if floods else ["–", "–"]
    cells += [f"{sum(one.answers for one in felt):,}", f"{sum(one.failed for one in felt):,}"]
    for p50_or_p99 in (attrgetter("p50_ms"), attrgetter("p99_ms")):
        times = np.array([*map(p50_or_p99, felt)])
        cells += [number(np.median(times)), number(np.median(times / [*map(p50_or_p99, alone)]), 2)]
    return [name, *cells]


if __name__ == "__main__":
    main()
