"""`python -m loan_approval …`: what the Makefile calls."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from loan_approval.errors import LoanApprovalError
from loan_approval.project import ROOT
from serve.errors import ServeError
from serve.settings import Settings

REPORTS = ROOT / "reports"


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit 1 with its reason when it is refused, 2 when it was called wrongly."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (LoanApprovalError, ServeError) as err:
        sys.exit(f"{type(err).__name__}: {err}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loan_approval", description="From a CSV to a promoted model.")
    add = _Adder(parser.add_subparsers(required=True, metavar="COMMAND"))
    _add_data_commands(add)
    _add_notebook_commands(add)
    _add_production_commands(add)
    run = add("run", _run, "everything: explore, train, validate, promote, serve, ask", dataset="loans")
    run.add_argument("--model-name")
    run.add_argument("--preprocessor-name")
    return parser


def _add_data_commands(add: "_Adder") -> None:
    init = add("init", _init, "draft a contract for your own CSV")
    init.add_argument("folder", type=Path, help="where the data set shall live, such as data/mine")
    init.add_argument("csv", type=Path)
    init.add_argument("--target", required=True, help="the column that holds the decision")
    simulate = add("simulate", _simulate, "write simulated applications")
    simulate.add_argument("csv", type=Path)
    simulate.add_argument("--rows", type=int, default=20_000)
    simulate.add_argument("--seed", type=int, default=None)


def _add_notebook_commands(add: "_Adder") -> None:
    explore = add("explore", _run_notebook, "report what is in a data set", dataset="loans")
    train = add("train", _run_notebook, "train, export and register a challenger", dataset="loans")
    train.add_argument("--model-name")
    train.add_argument("--preprocessor-name")
    validate = add("validate", _run_notebook, "judge a version; exit 1 when its verdict is failed", dataset="loans")
    validate.add_argument("--version", help="number or alias")
    for command, notebook in ((explore, "01_explore"), (train, "02_train"), (validate, "03_validate")):
        command.set_defaults(notebook=notebook)
        command.add_argument("--time-limit", type=float, default=1800, help="seconds (default: %(default)s)")
        command.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", type=_name_value)


def _add_production_commands(add: "_Adder") -> None:
    promote = add("promote", _promote, "make a validated version answer", dataset="loans")
    promote.add_argument("--version", default="challenger", help="number or alias (default: %(default)s)")
    promote.add_argument("--force", metavar="REASON", help="promote without a passed verdict; recorded")
    add("rollback", _rollback, "step back to what answered before", dataset="loans")
    add("history", _history, "list what was in production, and who put it there", dataset="loans")
    reproduce = add(
        "reproduce", _reproduce, "make a version again; exit 1 unless its bytes are the same", dataset="loans"
    )
    reproduce.add_argument("version", nargs="?", default="production", help="number or alias (default: %(default)s)")
    reproduce.add_argument("--time-limit", type=float, default=1800, help="seconds (default: %(default)s)")
    add("serve", _serve, "serve what is in production", dataset="loans")
    add("mlflow", _mlflow, "show MLflow's UI")


class _Adder:
    def __init__(self, commands: argparse._SubParsersAction) -> None:
        self.commands = commands

    def __call__(
        self, name: str, command: Callable[[argparse.Namespace], None], purpose: str, dataset: str | None = None
    ) -> argparse.ArgumentParser:
        parser = self.commands.add_parser(name, help=purpose, description=purpose)
        parser.set_defaults(command=command)
        if dataset:
            parser.add_argument(
                "--dataset", default=dataset, help="a folder below data/, or a path (default: %(default)s)"
            )
        return parser


def _name_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE")
    return name, value


def _asks_mlflow(command: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """Say in one line what is wrong with MLflow's server, if it is that."""

    @wraps(command)
    def run(options: argparse.Namespace) -> None:
        from loan_approval.tracking_server import plain_errors

        with plain_errors():
            command(options)

    return run


def _init(options: argparse.Namespace) -> None:
    from loan_approval.drafting import draft_data_set

    draft = draft_data_set(options.folder, options.csv, options.target)
    print(f"{draft.dataset}: {draft.rows:,} rows", *draft.notes, sep="\n- ")
    print(f"{draft.contract}: drafted; answer each question in it, then delete its line:", *draft.questions, sep="\n- ")


def _simulate(options: argparse.Namespace) -> None:
    from loan_approval.simulate import SEED, write_simulation

    write_simulation(options.csv, options.rows, SEED if options.seed is None else options.seed)
    print(f"{options.csv}: {options.rows:,} simulated applications")


@_asks_mlflow
def _run_notebook(options: argparse.Namespace) -> None:
    from loan_approval.flow import run_step

    named = ("dataset", "model_name", "preprocessor_name", "version")
    texts = {name: getattr(options, name) for name in named if getattr(options, name, None) is not None}
    texts |= dict(options.parameter)
    result = run_step(options.notebook, texts, REPORTS, options.time_limit)
    if result.get("verdict") == "failed":
        reasons = "; ".join(gate["words"] for gate in result["gates"] if not gate["passed"])
        sys.exit(f"{result['name']} version {result['version']} failed: {reasons}")


@_asks_mlflow
def _promote(options: argparse.Namespace) -> None:
    from loan_approval.flow import model_and_store, report_promotion
    from loan_approval.promotion import promote, uncommitted_code

    name, store = model_and_store(options.dataset)
    version = promote(name, options.version, store, options.force)
    signed = ", signed" if version.signature else ""
    print(f"{name}: version {version.number} is in production, sha256 {version.sha256}{signed}")
    report_promotion(version, options.dataset, REPORTS)
    if changes := uncommitted_code(store):
        print(f"warning: it was made with code that is in no commit (changes {changes[:12]})", file=sys.stderr)


@_asks_mlflow
def _rollback(options: argparse.Namespace) -> None:
    from loan_approval.flow import model_and_store, report_promotion
    from loan_approval.promotion import rollback

    name, store = model_and_store(options.dataset)
    version = rollback(name, store)
    print(f"{name}: back to version {version.number}, sha256 {version.sha256}")
    report_promotion(version, options.dataset, REPORTS)


@_asks_mlflow
def _history(options: argparse.Namespace) -> None:
    from loan_approval.flow import model_and_store
    from loan_approval.tracking import read_history

    name, _ = model_and_store(options.dataset)
    for event in read_history(name):
        what = f"{event['event']} version {event['version']} {event.get('verdict', '')}".rstrip()
        print(event["at"], what, f"by {event['by']}" + (f": {event['reason']}" if "reason" in event else ""))


@_asks_mlflow
def _reproduce(options: argparse.Namespace) -> None:
    from loan_approval.datasets import dataset_folder
    from loan_approval.flow import model_and_store
    from loan_approval.reproduce import reproduce
    from loan_approval.tracking import find_version

    name, _ = model_and_store(options.dataset)
    version = find_version(name, options.version)
    rebuild = reproduce(version, dataset_folder(options.dataset), options.time_limit)
    print(f"{name} version {version.number}: recorded sha256 {version.sha256}, made again {rebuild.sha256}")
    for line in (*rebuild.notes, *rebuild.differences):
        print(f"- {line}")
    if not rebuild.same:
        sys.exit("it differs")
    print("the same bytes")


def _serve(options: argparse.Namespace) -> None:
    from loan_approval.flow import model_and_store

    name, store = model_and_store(options.dataset)
    environment = os.environ | {"SERVE_MODEL_NAME": name, "SERVE_STORE": str(store.path)}
    os.execve(sys.executable, [sys.executable, "-m", "serve"], environment)  # noqa: S606 (this very interpreter)


def _mlflow(_options: argparse.Namespace) -> None:
    from loan_approval.tracking_server import tracking_uri

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri()]
    os.execv(sys.executable, [*command, "--port", os.environ.get("MLFLOW_PORT") or "5000"])  # noqa: S606


@_asks_mlflow
def _run(options: argparse.Namespace) -> None:
    from loan_approval.flow import run_everything

    chosen = {"model_name": options.model_name, "preprocessor_name": options.preprocessor_name}
    texts = {name: value for name, value in chosen.items() if value}
    run_everything(options.dataset, texts, REPORTS, Settings.from_environment(os.environ).port)
