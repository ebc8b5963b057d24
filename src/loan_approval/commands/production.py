"""Commands on what is in production: promote, rollback, history, reproduce, shadow, serve, mlflow."""

import argparse
import json
import os
import sys

from loan_approval import project
from loan_approval.commands.parsing import Adder, add_json, add_time_limit


def add_commands(add: Adder) -> None:
    """Add promote, rollback, history, reproduce, shadow, serve and mlflow."""
    promote = add("promote", _promote, "make a validated version answer")
    promote.add_argument("--version", default="challenger", help="number or alias (default: %(default)s)")
    promote.add_argument("--force", metavar="REASON", help="promote without a passed verdict; recorded")
    add("rollback", _rollback, "step back to what answered before")
    past = add("history", _history, "list what was in production, and who put it there")
    add_json(past, "an event a line")
    reproduce = add("reproduce", _reproduce, "make a version again; exit 1 unless its bytes are the same")
    reproduce.add_argument("version", nargs="?", default="challenger", help="number or alias (default: %(default)s)")
    add_time_limit(reproduce)
    shadow = add("shadow", _shadow, "have a validated version score what is answered, beside it")
    shadow.add_argument("--version", default="challenger", help="number or alias (default: %(default)s)")
    alias = os.environ.get("SERVE_SHADOW_ALIAS") or "challenger"
    shadow.add_argument("--alias", default=alias, help="the server's SERVE_SHADOW_ALIAS (default: %(default)s)")
    shadow.add_argument("--stop", action="store_true", help="no more; with an MLflow server the alias goes too")
    add("serve", _serve, "serve what is in production")
    add("mlflow", _mlflow, "show MLflow's UI", dataset=False)


def _promote(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.card_page import write_card
    from loan_approval.registry.promotion import promote, uncommitted_code
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    version = promote(name, options.version, store, options.force)
    signed = ", signed" if version.signature else ""
    print(f"{name}: version {version.number} is in production, sha256 {version.sha256}{signed}")
    write_card(version, options.dataset, project.REPORTS)
    if changes := uncommitted_code(store):
        print(f"warning: it was made with code that is in no commit (changes {changes[:12]})", file=sys.stderr)


def _rollback(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.card_page import write_card
    from loan_approval.registry.promotion import rollback
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    version = rollback(name, store)
    print(f"{name}: back to version {version.number}, sha256 {version.sha256}")
    write_card(version, options.dataset, project.REPORTS)


def _history(options: argparse.Namespace) -> None:
    from loan_approval.registry import history
    from loan_approval.registry.stores import model_and_store

    name, _ = model_and_store(options.dataset)
    for event in history.read(name):
        if options.json:
            print(json.dumps(event, ensure_ascii=False))
            continue
        action = f"{event['event']} version {event['version']} {event.get('verdict', '')}".rstrip()
        print(event["at"], action, f"by {event['by']}" + (f": {event['reason']}" if "reason" in event else ""))


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
    if rebuild.sha256 != version.sha256:
        sys.exit("it differs")
    print("the same bytes")


def _shadow(options: argparse.Namespace) -> None:
    from loan_approval.registry.shadowing import start_shadow, stop_shadow
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    if options.stop:
        print(f"{name}: version {stop_shadow(name, store, options.alias)} scores in the shadow no more")
        return
    version = start_shadow(name, options.version, store, options.alias)
    print(f"{name}: version {version.number} scores in the shadow, sha256 {version.sha256}")
    print(f"servers with SERVE_SHADOW_ALIAS={options.alias} take it; no answer changes")


def _serve(options: argparse.Namespace) -> None:
    from loan_approval.records.day_files import prediction_log_folder
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    environment = os.environ | {"SERVE_MODEL_NAME": name, "SERVE_STORE": str(store.path)}
    environment |= {"SERVE_PREDICTION_LOG": str(prediction_log_folder(name))}
    os.execve(sys.executable, [sys.executable, "-m", "serve"], environment)  # noqa: S606 (this very interpreter)


def _mlflow(_options: argparse.Namespace) -> None:
    from loan_approval.registry.tracking_server import server_command

    command, environment = server_command()
    os.execve(command[0], [*command, "--port", os.environ.get("MLFLOW_PORT") or "5000"], environment)  # noqa: S606
