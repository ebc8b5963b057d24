"""The command that checks new data against what production was trained on."""

import argparse
import os
import sys
from pathlib import Path

from loan_approval import project
from loan_approval.commands.parsing import Adder, add_notebook_options, asks_mlflow


def add_commands(add: Adder) -> None:
    """Add check-data."""
    check = add("check-data", _check_data, "check new data; exit 1 when they break what a model relies on", "loans")
    check.add_argument("--csv", default="", help="the new data (default: the data set's own dataset.csv)")
    check.add_argument("--reference", default="", help="compare with this CSV (default: what production learnt from)")
    add_notebook_options(check)


@asks_mlflow
def _check_data(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import run_step

    texts = {"dataset": options.dataset, "csv": _from_root(options.csv), "reference_csv": _from_root(options.reference)}
    given = {name: text for name, text in texts.items() if text} | dict(options.parameter)
    result = run_step("05_check_data", given, project.REPORTS, options.time_limit)
    found = result["findings"]
    for finding in [finding for finding in found if finding["level"] != "ok" or finding["kind"] == "reference"]:
        print(f"{finding['level']:8} {finding['kind']}: {finding['subject']}: {finding['words']}")
    if sys.stderr.isatty():  # a log is kept and read by others: no applicant's values
        _show_values(options.dataset, options.csv)
    print(f"{options.dataset}: {result['verdict']}", flush=True)
    if result["verdict"] == "breaking":
        severe = sum(finding["level"] == "severe" for finding in found)
        sys.exit(f"the data break what a model relies on: {severe} severe {'finding' if severe == 1 else 'findings'}")


def _from_root(text: str) -> str:
    """Return a path as the notebook takes it; it stands in the report, so it is short where it lies in the project."""
    path = Path(text).resolve()
    return os.fspath(path.relative_to(project.ROOT) if path.is_relative_to(project.ROOT) else path) if text else ""


def _show_values(dataset: str, csv: str) -> None:
    from loan_approval.data.datasets import dataset_folder, find_csv, load_contract, read_dataset
    from loan_approval.errors import DataError

    folder = dataset_folder(dataset)
    try:
        read_dataset(Path(csv) if csv else find_csv(folder), load_contract(folder), folder.name)
    except DataError as err:
        print(err, file=sys.stderr)
