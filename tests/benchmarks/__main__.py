"""`python -m tests.benchmarks`: this server beside others, in one run on one machine; prints Markdown.

Two cores are needed: the load on the first, the servers on the second.
"""

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks import wire
from tests.benchmarks.facts import describe_run
from tests.benchmarks.goals import goals_table, judge, passed
from tests.benchmarks.load import Batch
from tests.benchmarks.process import LOAD_CORE, check_machine
from tests.benchmarks.rounds import Bench
from tests.benchmarks.servers import BOOSTING, LOGISTIC, MLFLOW, SERVERS, UNCALIBRATED, USUAL, USUAL_BOOSTING, Server
from tests.benchmarks.table import Sample, batches_table, disturbances, singles_table
from tests.server_process import ROOT

BASELINES = {"usual": {LOGISTIC: USUAL, BOOSTING: USUAL_BOOSTING}, "uncalibrated": {LOGISTIC: UNCALIBRATED}}
REPORT = ROOT / "reports" / "bench.md"
FEWEST_REQUESTS = 10_000  # before memory is read, in the last round


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3, help="of load for each number of connections (3)")
    parser.add_argument("--rounds", type=int, default=3, help="over all servers (3)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="servers whose name holds this")
    parser.add_argument("--quick", action="store_true", help="one round of one second, memory read early")
    options = parser.parse_args()
    if options.quick:
        options.seconds = options.rounds = 1
    if options.seconds < 1 or options.rounds < 1:
        parser.error("expected whole seconds and rounds from 1")
    return options


def main() -> None:
    """Measure, print the tables, and keep those of a run over all servers in reports/bench.md; fail below a goal."""
    options = parse()
    chosen = [s for s in SERVERS if not options.only or any(text in s.name for text in options.only)]
    check_machine("wrk", "nginx")
    if not chosen:
        sys.exit(f"benchmarks: no such server, expected a part of: {'; '.join(s.name for s in SERVERS)}")
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # it warns of pickles, and this one is our own
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers die with this
    began, load = time.monotonic(), os.getloadavg()[0]
    samples, floors = measure(chosen, options)
    ratios = judge(samples)
    minutes = (time.monotonic() - began) / 60
    report = "\n\n".join(
        [
            singles_table(samples, BASELINES),
            *([goals_table(ratios)] if ratios else []),
            batches_table(samples, floors, (MLFLOW.name, wire.SPLIT.name)),
            describe_run(options.rounds, options.seconds, minutes, load),
            *disturbances(samples),
            *problems(samples),
        ]
    )
    print(report)
    if not options.only:
        REPORT.write_text(report + "\n", encoding="utf-8")
    if missed := sum(not passed(goal, ratio) for goal, ratio in ratios.items()):
        sys.exit(f"benchmarks: this server missed {missed} of {len(ratios)} goals")


def measure(
    chosen: Sequence[Server], options: argparse.Namespace
) -> tuple[dict[Server, list[Sample]], list[dict[str, Batch]]]:
    """Return a sample a round of each server, and the floors of each round."""
    samples: dict[Server, list[Sample]] = {server: [] for server in chosen}
    floors = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), {server.model for server in chosen} | {LOGISTIC}, options.seconds)
        os.sched_setaffinity(0, {int(LOAD_CORE)})
        for number in range(1, options.rounds + 1):
            last = 0 if options.quick or number < options.rounds else FEWEST_REQUESTS
            for server in chosen:
                sample = bench.sample(server, fewest_requests=last)
                samples[server].append(sample)
                print(f"round {number} of {options.rounds}: {server.name}: {told(sample)}", file=sys.stderr)
            floors.append(bench.floor())
    return samples, floors


def told(sample: Sample) -> str:
    """Return a line about a sample."""
    if sample.problem:
        return sample.problem.splitlines()[0]
    return ", ".join(f"{n}: {point.per_second:,.0f}/s {point.cpu_us:,.0f} us" for n, point in sample.points.items())


def problems(samples: Mapping[Server, list[Sample]]) -> Iterator[str]:
    """Yield what went wrong, in full."""
    for server, rounds in samples.items():
        said = [sample.problem for sample in rounds if sample.problem]
        said += [f"{name}: {b}" for sample in rounds for name, b in sample.batches.items() if isinstance(b, str)]
        for problem in dict.fromkeys(said):
            yield f"{server.name}:\n```\n{problem}\n```"


if __name__ == "__main__":
    main()
