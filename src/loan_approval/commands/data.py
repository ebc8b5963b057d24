"""Commands on data: init, simulate, boston, data."""

import argparse
from pathlib import Path

from loan_approval import project
from loan_approval.commands.parsing import Adder, asks_mlflow
from loan_approval.errors import DataError


def add_commands(add: Adder) -> None:
    """Add init, simulate, boston and data."""
    init = add("init", _init, "draft a contract for your own CSV", dataset=False)
    init.add_argument("folder", type=Path, help="the new data set's folder, such as data/mine")
    init.add_argument("csv", type=Path)
    init.add_argument("--target", required=True, help="the column that holds the decision")
    simulate = add("simulate", _simulate, "write simulated applications", dataset=False)
    simulate.add_argument("csv", type=Path)
    simulate.add_argument("--rows", type=int, help="(default: as many as the built-in data set has)")
    simulate.add_argument("--seed", type=int, help="(default: the built-in data set's)")
    boston = add("boston", _boston, "write the Boston mortgage applications", dataset=False)
    boston.add_argument("csv", type=Path)
    purpose = "bring data sets to what dvc.lock and *.dvc say, or get a model version's data"
    data = add("data", _data, purpose, dataset=False)
    data.add_argument("--dataset", help="a folder below data/, or a path (default: all; with --version: loans)")
    data.add_argument("--version", help="number or alias of a model version: get exactly the data it was trained on")
    data.add_argument("--to", type=Path, help="with --version: the file to write (default: the data set's, or beside)")


def _init(options: argparse.Namespace) -> None:
    from loan_approval.data.drafting import draft_data_set

    draft = draft_data_set(options.folder, options.csv, options.target)
    print(f"{draft.dataset}: {draft.rows:,} rows", *draft.notes, sep="\n- ")
    print(f"{draft.contract}: drafted; answer each question in it, then delete its line:", *draft.questions, sep="\n- ")
    print(f"Keep this version of the data: dvc add {draft.dataset}, and commit {draft.dataset}.dvc")


def _simulate(options: argparse.Namespace) -> None:
    from loan_approval.data.simulate import ROWS, SEED, write_simulation

    # The stage in dvc.yaml names neither, so that both follow from the code that it depends on.
    rows = ROWS if options.rows is None else options.rows
    write_simulation(options.csv, rows, SEED if options.seed is None else options.seed)
    print(f"{options.csv}: {rows:,} simulated applications")


def _boston(options: argparse.Namespace) -> None:
    from loan_approval.data.boston import ROWS, write_boston

    write_boston(options.csv)
    print(f"{options.csv}: {ROWS:,} applications of 1990")


def _data(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder, restore_dataset
    from loan_approval.data.versions import keep

    if options.version:
        _write_version_data(options)
        return
    if options.to:
        raise DataError("--to is given without --version; expected both, or neither")
    contracts = sorted(project.ROOT.glob("data/*/contract.toml"))
    problems = []
    for name in [options.dataset] if options.dataset else [path.parent.name for path in contracts]:
        try:
            print(restore_dataset(name), flush=True)
            keep(dataset_folder(name) / "dataset.csv")
        except DataError as err:  # go on with the other data sets
            problems.append(str(err))
    if problems:
        raise DataError("\n".join(problems))


@asks_mlflow
def _write_version_data(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder
    from loan_approval.registry.stores import model_and_store
    from loan_approval.registry.tracking import find_version
    from loan_approval.reproduction.version_data import find_data, place_for, recorded_data, write_data

    dataset = options.dataset or "loans"
    name, _ = model_and_store(dataset)
    version, folder = find_version(name, options.version), dataset_folder(dataset)
    recorded = recorded_data(version)
    print(f"{name} version {version.number} was trained on {recorded.dataset} at commit {recorded.commit}:")
    print(f"  sha256 {recorded.sha256}, md5 {recorded.md5 or 'not recorded'}", flush=True)
    data, source = find_data(recorded, folder)
    path = options.to or place_for(recorded, folder, version.number)
    written = "written" if write_data(data, path) else "there already"
    print(f"{path}: the same, to the byte ({written}; source: {source})")
