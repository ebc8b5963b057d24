"""Commands on the prediction log: replay, review, retain, erase, monitor, and demo-drift on a simulated log."""

import argparse
import getpass
import re
import sys
from pathlib import Path

from loan_approval import project
from loan_approval.commands.parsing import (
    Adder,
    add_json,
    add_time_limit,
    require_file,
    run_step,
    set_options,
)


def add_commands(add: Adder) -> None:
    """Add replay, review, retain, erase, monitor and demo-drift."""
    replay = add("replay", _replay, "decide again; exit 1 unless the answer is the logged one")
    review = add("review", _review, "put on record what a person decided")
    for command in (replay, review):
        command.add_argument("decision_id", metavar="ID", help="the decision's id; of a batch's row, <id>.<row>")
    review.add_argument("--outcome", required=True, choices=("approve", "decline"))
    review.add_argument("--reason", required=True)
    review.add_argument("--reviewer", default=None, help="default: your login name")
    retain = add("retain", _retain, "remove the days of the log that are older than --days")
    retain.add_argument("--days", type=int, required=True)
    purpose = "remove an applicant from the log; asks for the key, or reads it from a pipe: ps shows arguments"
    erase = add("erase", _erase, purpose)
    for command in (retain, erase):
        add_time_limit(command, default=30)
    for command in (replay, review, retain, erase):
        command.add_argument("--log", type=Path, help="folder of the log (default: SERVE_PREDICTION_LOG, or serve's)")
    purpose = "report how decisions drift from the training data; exit 1 when severe"
    monitor = add("monitor", _monitor, purpose)
    monitor.add_argument("--log", help="folder of the prediction log (default: predictions/<model_name>)")
    monitor.add_argument("--begin", help="first moment, UTC, such as 2026-11-01 (default: the log's first)")
    monitor.add_argument("--end", help="the moment after the last (default: everything)")
    monitor.add_argument("--version", help="decisions of this version only (default: of each in the log)")
    against = "earlier window to compare with (default: training data)"
    monitor.add_argument("--against", metavar="BEGIN/END", help=against)
    monitor.add_argument("--outcomes", help="CSV of decision_id,outcome")
    add_time_limit(monitor)
    add_json(monitor, "the report's result")
    purpose = "three simulated months through the real server; exit 1 unless each is judged as expected"
    demo = add("demo-drift", _demo_drift, purpose, dataset=False)
    demo.add_argument("--rows", type=int, default=2_000, help="applications a month (default: %(default)s)")


def _folder(options: argparse.Namespace) -> Path:
    from loan_approval.data.folders import dataset_folder, load_contract
    from loan_approval.records.day_files import prediction_log_folder

    return options.log or prediction_log_folder(load_contract(dataset_folder(options.dataset)).model_name)


def _replay(options: argparse.Namespace) -> None:
    from loan_approval.records.logged_decision import find_decision

    line = find_decision(_folder(options), options.decision_id)
    from loan_approval.records.replay import describe, load_file, replay  # after what fails at once
    from loan_approval.registry.stores import model_and_store

    receipt = replay(line, load_file(line, model_and_store(options.dataset)[1]))
    print(*describe(receipt), sep="\n", flush=True)
    if receipt.differences:
        sys.exit(f"it differs: {', '.join(receipt.differences)}")
    print("the same")


def _review(options: argparse.Namespace) -> None:
    from loan_approval.records.logged_decision import add_review

    reviewer = getpass.getuser() if options.reviewer is None else options.reviewer
    review = add_review(_folder(options), options.decision_id, options.outcome, reviewer, options.reason)
    print(f"{review['decision_id']}: {review['outcome']} by {review['reviewer']}: {review['reason']}")


def _retain(options: argparse.Namespace) -> None:
    from loan_approval.records.rewriting import retain

    folder = _folder(options)
    days, decisions, reviews = retain(folder, options.days, options.time_limit)
    span = f", {days[0]} to {days[-1]}" if days else ""
    print(f"{folder}: removed {len(days)} days{span}: {decisions:,} decisions, {reviews:,} reviews")


def _erase(options: argparse.Namespace) -> None:
    from loan_approval.records.rewriting import erase, load_secret

    folder = _folder(options)
    key = getpass.getpass("The applicant's key: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    decisions = erase(folder, load_secret(folder), key, options.time_limit)
    print(f"{folder}: {decisions:,} decisions erased, with their scores by challengers and their reviews")


def _monitor(options: argparse.Namespace) -> None:
    from loan_approval.records.day_files import require_log

    require_file(project.ROOT / options.outcomes if options.outcomes else None)
    require_log(project.ROOT / options.log if options.log else _folder(options))
    texts = set_options(options, "dataset", "log", "begin", "end", "version", "against", "outcomes")
    # The window is in the name of the report's files, so that last month's report stays.
    texts["report"] = re.sub(r"[^0-9A-Za-z_-]", "-", "_".join(filter(None, ("04_monitor", options.begin, options.end))))
    result = run_step("04_monitor", texts, options)
    if not options.json:
        print(*result["words"], sep="\n- ")
    if result["verdict"] == "severe":
        sys.exit("severe drift")


def _demo_drift(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.demo_drift import run_demo

    judged = run_demo(project.REPORTS, options.rows)
    print(*(text for _, text in judged), sep="\n")
    if not all(as_expected for as_expected, _ in judged):
        sys.exit("a month was not judged as expected")
