"""`python -m tests.benchmarks.prediction_log`: what the prediction log costs the lane, in interleaved rounds; Markdown.

The same server three times, each with one worker on one core: without a log, with one in mode drop, in mode required.
All of them run all the time, and each is asked for a few seconds a round: whatever else the machine does hits all.
The ratios are medians over the rounds, of each round's figure to that of the server without a log.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks.facts import describe_machine
from tests.benchmarks.load import Point, check_answers, put_load
from tests.benchmarks.model import Made, make_model, make_questions
from tests.benchmarks.process import Running, running
from tests.benchmarks.rounds import SINGLE_ROWS
from tests.benchmarks.servers import LOGISTIC, PYTHON, Server, Start
from tests.server_process import ROOT

MODES = {"off": None, "drop": "drop", "required": "required"}
CONNECTIONS = 16
WARM_UP = 1  # second
COLUMNS = ("log", "requests/s", "to off", "CPU us a request", "to off", "p99 ms", "failed")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        points = _measure(Path(folder), options.rounds, options.seconds)
    print(f"{describe_machine()}, load average after it {os.getloadavg()[0]:.1f}; {options.rounds} rounds\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for mode in MODES:
        print(f"| {' | '.join(_row(mode, points))} |")


def _measure(folder: Path, rounds: int, seconds: int) -> dict[str, list[Point]]:
    made = make_model(LOGISTIC, folder / "model")
    questions = make_questions(made, SINGLE_ROWS)
    points: dict[str, list[Point]] = {mode: [] for mode in MODES}
    with ExitStack() as stack:
        servers: dict[str, tuple[Server, Running]] = {}
        for mode in MODES:
            server = Server(mode, partial(_start, mode))
            bodies = [server.wire.encode([row]) for row in questions.rows]
            servers[mode] = server, stack.enter_context(running(server, made, folder / mode, bodies[0]))
            check_answers(servers[mode][1], server.wire, made, questions)
        path = folder / "bodies"
        path.write_bytes(b"\n".join(bodies) + b"\n")
        for number in range(rounds + 1):
            for mode, (server, process) in servers.items():
                point = put_load(process, server.wire, path, CONNECTIONS, seconds if number else WARM_UP)
                points[mode] += [point] if number else []
    return points


def _start(mode: str, made: Made, port: int, folder: Path) -> Start:
    environment = {"SERVE_STORE": str(made.folder / "store"), "PYTHONPATH": str(ROOT), "PORT": str(port)}
    if MODES[mode]:
        environment |= {"SERVE_PREDICTION_LOG": str(folder / "log"), "SERVE_PREDICTION_LOG_MODE": MODES[mode]}
    return Start([str(PYTHON), "-m", "serve"], environment)


def _row(mode: str, points: Mapping[str, list[Point]]) -> list[str]:
    own, off = points[mode], points["off"]
    speed = median(one.per_second / other.per_second for one, other in zip(own, off, strict=True))
    cpu = median(one.cpu_us / other.cpu_us for one, other in zip(own, off, strict=True))
    return [
        mode,
        f"{median(point.per_second for point in own):,.0f}",
        f"{speed:.2f}",
        f"{median(point.cpu_us for point in own):.1f}",
        f"{cpu:.2f}",
        f"{median(point.p99_ms for point in own):.2f}",
        str(sum(point.failed for point in own)),
    ]


if __name__ == "__main__":
    main()
