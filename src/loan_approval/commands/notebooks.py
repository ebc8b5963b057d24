"""Commands that run notebooks: check-data, explore, train, validate, run for the whole line, and sweep; and report."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import structs

from loan_approval import project
from loan_approval.commands.parsing import (
    Adder,
    add_json,
    add_time_limit,
    name_value,
    require_file,
    run_step,
    set_options,
)
from loan_approval.errors import DataError, SweepError
from serve.settings import Settings


def add_commands(add: Adder) -> None:
    """Add check-data, explore, train, validate, run, sweep and report."""
    check = add("check-data", _check_data, "check new data; exit 1 when they break what a model relies on")
    check.add_argument("--csv", default="", help="the new data (default: the data set's own dataset.csv)")
    check.add_argument("--reference", default="", help="compare with this CSV (default: what production learnt from)")
    explore = add("explore", _run_notebook, "report what is in a data set")
    train = add("train", _run_notebook, "train, export and register a challenger")
    validate = add("validate", _run_notebook, "judge a version; exit 1 when its verdict is failed")
    validate.add_argument("--version", help="number or alias")
    run = add("run", _run, "everything: explore, train, validate, promote, serve, ask")
    for command in (train, run):
        command.add_argument("--model-name")
        command.add_argument("--preprocessor-name")
    for command, notebook in ((explore, "01_explore"), (train, "02_train"), (validate, "03_validate")):
        command.set_defaults(notebook=notebook)
    for command in (check, explore, train, validate):
        add_time_limit(command)
        add_json(command, "the step's result")
        command.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", type=name_value)
    sweep = add("sweep", _sweep, "run a plan of trainings on Dask and rank them; exit 1 when one failed")
    sweep.add_argument("--plan", type=Path, help="a TOML file (default: sweep.toml beside the data set)")
    sweep.add_argument("--sample", type=_positive, help="run only so many of the plan, drawn at random")
    sweep.add_argument("--workers", type=_positive, help="processes on this machine (default: one a core)")
    add_time_limit(sweep, unit="seconds of a trial")
    purpose = "make the report of a notebook that was run by hand, and log it to MLflow"
    report = add("report", _report, purpose, dataset=False)
    report.add_argument("notebook", type=Path, help="saved by JupyterLab or papermill, run whole from top to bottom")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def _run_notebook(options: argparse.Namespace) -> None:
    texts = set_options(options, "dataset", "model_name", "preprocessor_name", "version") | dict(options.parameter)
    _check_texts(options.notebook, texts)
    result = run_step(options.notebook, texts, options)
    if result.get("verdict") == "failed":
        reasons = "; ".join(gate["words"] for gate in result["gates"] if not gate["passed"])
        sys.exit(f"{result['name']} version {result['version']} failed: {reasons}")


def _check_texts(notebook: str, texts: Mapping[str, str]) -> None:
    from loan_approval.notebooks.parameters import parse_parameters

    parse_parameters(project.ROOT / "notebooks" / f"{notebook}.ipynb", texts)


def _run(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import run_everything

    texts = set_options(options, "model_name", "preprocessor_name")
    run_everything(options.dataset, texts, project.REPORTS, Settings.from_environment(os.environ).port)


def _check_data(options: argparse.Namespace) -> None:
    require_file(options.csv)
    require_file(options.reference)
    texts = {"dataset": options.dataset, "csv": _from_root(options.csv), "reference_csv": _from_root(options.reference)}
    texts = {name: text for name, text in texts.items() if text} | dict(options.parameter)
    _check_texts("05_check_data", texts)
    from loan_approval.data.datasets import dataset_folder, find_csv, load_contract, read_dataset

    result = run_step("05_check_data", texts, options)
    findings = result["findings"]
    if not options.json:
        for finding in findings:
            if finding["level"] != "ok" or finding["kind"] == "reference":
                print(f"{finding['level']:8} {finding['kind']}: {finding['subject']}: {finding['words']}")
        print(f"{options.dataset}: {result['verdict']}", flush=True)
    if sys.stderr.isatty():  # a log is kept and read by others: no applicant's values
        folder = dataset_folder(options.dataset)
        try:
            read_dataset(Path(options.csv) if options.csv else find_csv(folder), load_contract(folder), folder.name)
        except DataError as err:  # it names each problem with its value
            print(err, file=sys.stderr)
    if result["verdict"] == "breaking":
        severe = sum(finding["level"] == "severe" for finding in findings)
        sys.exit(f"the data break what a model relies on: {severe} severe {'finding' if severe == 1 else 'findings'}")


def _from_root(text: str) -> str:
    """Return a path as the notebook takes it: from the project's root where it lies in the project."""
    path = Path(text).resolve()
    return os.fspath(path.relative_to(project.ROOT) if path.is_relative_to(project.ROOT) else path) if text else ""


def _report(options: argparse.Namespace) -> None:
    require_file(options.notebook)
    from loan_approval.pipeline.pipeline import log_by_hand

    log_by_hand(options.notebook, project.REPORTS)


def _sweep(options: argparse.Namespace) -> None:
    require_file(options.plan)
    from loan_approval.data.datasets import dataset_folder
    from loan_approval.notebooks.index import write_index
    from loan_approval.sweep.leaderboard import print_board
    from loan_approval.sweep.plan import read_plan
    from loan_approval.sweep.running import run_sweep

    plan = read_plan(options.plan or dataset_folder(options.dataset) / "sweep.toml")
    if options.sample:
        plan = structs.replace(plan, sample=options.sample)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that kernels are ended then too
    board = run_sweep(options.dataset, plan, project.REPORTS, options.workers, options.time_limit)
    print_board(board)
    page = project.REPORTS / dataset_folder(options.dataset).name / "sweep.html"
    print(f"Leaderboard: {page}, all reports: {write_index(project.REPORTS)}")
    if board.failures:
        lines = "".join(f"\n  {failure.trial}: {failure.reason}" for failure in board.failures)
        raise SweepError(f"{len(board.failures)} of the trials failed:{lines}")
