"""Commands that make data: a contract drafted for one's own CSV, and what the built-in data sets are made with."""

import argparse
from pathlib import Path

from loan_approval.commands.parsing import Adder


def add_commands(add: Adder) -> None:
    """Add init, simulate and boston."""
    init = add("init", _init, "draft a contract for your own CSV")
    init.add_argument("folder", type=Path, help="where the data set shall live, such as data/mine")
    init.add_argument("csv", type=Path)
    init.add_argument("--target", required=True, help="the column that holds the decision")
    simulate = add("simulate", _simulate, "write simulated applications")
    simulate.add_argument("csv", type=Path)
    simulate.add_argument("--rows", type=int, help="(default: as many as the built-in data set has)")
    simulate.add_argument("--seed", type=int, help="(default: the built-in data set's)")
    boston = add("boston", _boston, "write the Boston mortgage applications")
    boston.add_argument("csv", type=Path)


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
