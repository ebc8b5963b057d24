"""Commands that watch what is in production: monitor, demo-drift."""

import argparse
import re
import sys

from loan_approval import project
from loan_approval.commands.parsing import Adder, add_time_limit, asks_mlflow, set_options


def add_commands(add: Adder) -> None:
    """Add monitor and demo-drift."""
    monitor = add("monitor", _monitor, "report how decisions drift from the training data; exit 1 when severe")
    monitor.add_argument("--log", help="folder of the prediction log (default: predictions/<model_name>)")
    monitor.add_argument("--begin", help="first moment, UTC, such as 2026-11-01 (default: the log's first)")
    monitor.add_argument("--end", help="the moment after the last (default: everything)")
    monitor.add_argument("--version", help="decisions of this version only (default: of each in the log)")
    monitor.add_argument(
        "--against", metavar="BEGIN/END", help="earlier window to compare with (default: training data)"
    )
    monitor.add_argument("--outcomes", help="CSV of decision_id,outcome")
    add_time_limit(monitor)
    purpose = "three simulated months through the real server; exit 1 unless each is judged as expected"
    demo = add("demo-drift", _demo_drift, purpose, dataset=False)
    demo.add_argument("--rows", type=int, default=2_000, help="applications a month (default: %(default)s)")


@asks_mlflow
def _monitor(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import run_step

    texts = set_options(options, "dataset", "log", "begin", "end", "version", "against", "outcomes")
    # The window is in the name of the report's files, so that last month's report stays.
    texts["report"] = re.sub(r"[^0-9A-Za-z_-]", "-", "_".join(filter(None, ("04_monitor", options.begin, options.end))))
    result = run_step("04_monitor", texts, project.REPORTS, options.time_limit)
    print(*result["words"], sep="\n- ")
    if result["verdict"] == "severe":
        sys.exit("severe drift")


@asks_mlflow
def _demo_drift(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.demo_drift import run_demo

    judged = run_demo(project.REPORTS, options.rows)
    print(*(text for _, text in judged), sep="\n")
    if not all(as_expected for as_expected, _ in judged):
        sys.exit("a month was not judged as expected")
