"""The command on versions of data: have the CSVs be what DVC's files say, or get what a model version came from."""

import argparse
from pathlib import Path

from loan_approval import project
from loan_approval.commands.parsing import Adder, asks_mlflow
from loan_approval.errors import DataError


def add_commands(add: Adder) -> None:
    """Add data."""
    data = add("data", _data, "bring data sets to what dvc.lock and *.dvc say, or get a model version's data")
    data.add_argument("--dataset", help="a folder below data/, or a path (default: all; with --version: loans)")
    data.add_argument("--version", help="number or alias of a model version: get exactly the data it was trained on")
    data.add_argument("--to", type=Path, help="with --version: the file to write (default: the data set's, or beside)")


def _data(options: argparse.Namespace) -> None:
    if options.version:
        _fetch(options)
    elif options.to:
        raise DataError("--to is given without --version; expected both, or neither")
    else:
        _settle(options.dataset)


def _settle(dataset: str | None) -> None:
    from loan_approval.data.datasets import dataset_folder, settle_version
    from loan_approval.data.versions import keep

    names = [dataset] if dataset else sorted(path.parent.name for path in project.ROOT.glob("data/*/contract.toml"))
    problems = []
    for name in names:
        try:
            print(settle_version(name), flush=True)
            keep(dataset_folder(name) / "dataset.csv")
        except DataError as err:  # the other data sets are settled all the same
            problems.append(str(err))
    if problems:
        raise DataError("\n".join(problems))


@asks_mlflow
def _fetch(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder
    from loan_approval.registry.stores import model_and_store
    from loan_approval.registry.tracking import find_version
    from loan_approval.reproduction.version_data import find_data, place_for, recorded_data, write_data

    name, _ = model_and_store(options.dataset or "loans")
    version, folder = find_version(name, options.version), dataset_folder(options.dataset or "loans")
    recorded = recorded_data(version)
    print(f"{name} version {version.number} was trained on {recorded.dataset} at commit {recorded.commit}:")
    print(f"  sha256 {recorded.sha256}, md5 {recorded.md5 or 'not recorded'}", flush=True)
    found = find_data(recorded, folder)
    path = options.to or place_for(recorded, folder, version.number)
    written = "written" if write_data(found, path) else "there already"
    print(f"{path}: the same, to the byte ({written}; source: {found.source})")
