"""`python -m tests.benchmarks.prediction_log`: what the prediction log costs, in interleaved rounds; Markdown.

The same server three times, each with one worker on one core: without a log, with one in mode drop, in mode required.
All of them run all the time, and each is asked in turn, a few seconds a round in each of three ways: as fast as it can
(16 connections), at a fixed rate that leaves half of it idle (open loop), and by a single caller that waits for each
answer. Whatever else the machine does hits all. The ratios are medians over the rounds, of each round's figure to that
of the server without a log.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.facts import describe_machine
from tests.benchmarks.load import Point, check_answers, put_load
from tests.benchmarks.model import make_model, make_questions
from tests.benchmarks.process import LOAD_CORE, Running, check_machine, running
from tests.benchmarks.rounds import SINGLE_ROWS
from tests.benchmarks.servers import LOGISTIC, Server, ours
from tests.benchmarks.table import markdown, median, number
from tests.benchmarks.wire import APPLICATION
from tests.server_process import ROOT

MODES = {"off": {}} | {
    mode: {"SERVE_PREDICTION_LOG": "log", "SERVE_PREDICTION_LOG_MODE": mode} for mode in ("drop", "required")
}
CONNECTIONS = 16
WARM_UP = 1  # second
MODERATE = 0.5  # of the requests a second that the server without a log answered


@dataclass(frozen=True)
class Round:
    """One server in one round: under full load, at the moderate rate, and with one caller."""

    full: Point
    steady: Mapping[str, float]
    single: Point


FIGURES: dict[str, Callable[[Round], float]] = {
    "requests/s": lambda one: one.full.per_second,
    "CPU us a request": lambda one: one.full.cpu_us,
    "p50 ms, half load": lambda one: one.steady["p50_ms"],
    "p99 ms, half load": lambda one: one.steady["p99_ms"],
    "p50 ms, one caller": lambda one: one.single.p50_ms,
    "p99 ms, one caller": lambda one: one.single.p99_ms,
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=3, help="of each load")
    options = parser.parse_args()
    check_machine("wrk")
    with tempfile.TemporaryDirectory() as folder:
        rate, rounds = _measure(Path(folder), options.rounds, options.seconds)
    print(f"{describe_machine()}, load average after it {os.getloadavg()[0]:.1f}; {options.rounds} rounds; ", end="")
    print(f"half load: {rate:,.0f} requests/s\n")
    head = ["log", *(column for figure in FIGURES for column in (figure, "to off")), "failed"]
    print(markdown(head, [_row(mode, rounds) for mode in MODES]))


def _measure(folder: Path, number_of_rounds: int, seconds: int) -> tuple[float, dict[str, list[Round]]]:
    made = make_model(LOGISTIC, folder / "model")
    questions = make_questions(made, SINGLE_ROWS)
    lines = [APPLICATION.encode([row]) for row in questions.rows]
    bodies = folder / "bodies"
    bodies.write_bytes(b"\n".join(lines) + b"\n")
    rounds: dict[str, list[Round]] = {mode: [] for mode in MODES}
    with ExitStack() as stack:
        servers: dict[str, Running] = {}
        for mode, settings in MODES.items():
            server = Server(mode, ours(**settings))
            servers[mode] = stack.enter_context(running(server, made, folder / mode, lines[0]))
            check_answers(servers[mode], APPLICATION, made, questions)

        def load_each(connections: int, seconds: int) -> dict[str, Point]:
            return {mode: put_load(each, APPLICATION, bodies, connections, seconds) for mode, each in servers.items()}

        rate = MODERATE * load_each(CONNECTIONS, WARM_UP)["off"].per_second
        for _ in range(number_of_rounds):
            full = load_each(CONNECTIONS, seconds)
            steady = {mode: _ask_steadily(each, bodies, rate, seconds) for mode, each in servers.items()}
            single = load_each(1, seconds)
            for mode in MODES:
                rounds[mode].append(Round(full[mode], steady[mode], single[mode]))
    return rate, rounds


def _ask_steadily(process: Running, bodies: Path, rate: float, seconds: int) -> dict[str, float]:
    command = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "tests.benchmarks.steady", process.port]
    command += [APPLICATION.path, bodies, rate, seconds]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _row(mode: str, rounds: Mapping[str, list[Round]]) -> list[str]:
    own, off = rounds[mode], rounds["off"]
    cells = [mode]
    for figure in FIGURES.values():
        ratio = median(figure(one) / figure(other) for one, other in zip(own, off, strict=True))
        cells += [number(median(map(figure, own))), f"{ratio:.2f}"]
    return [*cells, str(sum(one.full.failed + one.steady["failed"] + one.single.failed for one in own))]


if __name__ == "__main__":
    main()
