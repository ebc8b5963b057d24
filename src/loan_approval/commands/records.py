"""Commands on the prediction log: replay, review, retain, erase."""

import argparse
import getpass
import sys
from pathlib import Path

from loan_approval.commands.parsing import Adder, add_time_limit, asks_mlflow


def add_commands(add: Adder) -> None:
    """Add replay, review, retain and erase."""
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


def _folder(options: argparse.Namespace) -> Path:
    from loan_approval.data.datasets import dataset_folder, load_contract
    from loan_approval.records.reading import prediction_log_folder

    return options.log or prediction_log_folder(load_contract(dataset_folder(options.dataset)).model_name)


@asks_mlflow
def _replay(options: argparse.Namespace) -> None:
    from loan_approval.records.logged_decision import find_decision
    from loan_approval.records.replay import describe, load_file, replay
    from loan_approval.registry.stores import model_and_store

    line = find_decision(_folder(options), options.decision_id)
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
    from loan_approval.records.removal import retain

    folder = _folder(options)
    removed = retain(folder, options.days, options.time_limit)
    span = f", {removed.days[0]} to {removed.days[-1]}" if removed.days else ""
    counts = f"{removed.decisions:,} decisions, {removed.reviews:,} reviews"
    print(f"{folder}: removed {len(removed.days)} days{span}: {counts}")


def _erase(options: argparse.Namespace) -> None:
    from loan_approval.records.removal import erase, load_secret

    folder = _folder(options)
    key = getpass.getpass("The applicant's key: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    decisions = erase(folder, load_secret(folder), key, options.time_limit)
    print(f"{folder}: {decisions:,} decisions erased, with their scores by challengers and their reviews")
