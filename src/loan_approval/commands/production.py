"""Commands on what is in production: promote, rollback, history, reproduce."""

import argparse
import sys

from loan_approval import project
from loan_approval.commands.parsing import Adder, asks_mlflow, positive


def add_commands(add: Adder) -> None:
    """Add promote, rollback, history and reproduce."""
    promote = add("promote", _promote, "make a validated version answer", dataset="loans")
    promote.add_argument("--version", default="challenger", help="number or alias (default: %(default)s)")
    promote.add_argument("--force", metavar="REASON", help="promote without a passed verdict; recorded")
    add("rollback", _rollback, "step back to what answered before", dataset="loans")
    add("history", _history, "list what was in production, and who put it there", dataset="loans")
    reproduce = add(
        "reproduce", _reproduce, "make a version again; exit 1 unless its bytes are the same", dataset="loans"
    )
    reproduce.add_argument("version", nargs="?", default="challenger", help="number or alias (default: %(default)s)")
    reproduce.add_argument("--time-limit", type=positive, default=1800, help="seconds (default: %(default)s)")


@asks_mlflow
def _promote(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import report_promotion
    from loan_approval.registry.promotion import promote, uncommitted_code
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    version = promote(name, options.version, store, options.force)
    signed = ", signed" if version.signature else ""
    print(f"{name}: version {version.number} is in production, sha256 {version.sha256}{signed}")
    report_promotion(version, options.dataset, project.REPORTS)
    if changes := uncommitted_code(store):
        print(f"warning: it was made with code that is in no commit (changes {changes[:12]})", file=sys.stderr)


@asks_mlflow
def _rollback(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import report_promotion
    from loan_approval.registry.promotion import rollback
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    version = rollback(name, store)
    print(f"{name}: back to version {version.number}, sha256 {version.sha256}")
    report_promotion(version, options.dataset, project.REPORTS)


@asks_mlflow
def _history(options: argparse.Namespace) -> None:
    from loan_approval.registry import history
    from loan_approval.registry.stores import model_and_store

    name, _ = model_and_store(options.dataset)
    for event in history.read(name):
        what = f"{event['event']} version {event['version']} {event.get('verdict', '')}".rstrip()
        print(event["at"], what, f"by {event['by']}" + (f": {event['reason']}" if "reason" in event else ""))


@asks_mlflow
def _reproduce(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder
    from loan_approval.registry.stores import model_and_store
    from loan_approval.registry.tracking import find_version
    from loan_approval.reproduction.reproduce import reproduce

    name, _ = model_and_store(options.dataset)
    version = find_version(name, options.version)
    rebuild = reproduce(version, dataset_folder(options.dataset), options.time_limit)
    print(f"{name} version {version.number}: recorded sha256 {version.sha256}, made again {rebuild.sha256}")
    for line in (*rebuild.notes, *rebuild.differences):
        print(f"- {line}")
    if not rebuild.same:
        sys.exit("it differs")
    print("the same bytes")
