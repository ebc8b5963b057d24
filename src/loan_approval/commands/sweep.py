"""The command that runs a sweep."""

import argparse
import signal
import sys
from pathlib import Path

from msgspec import structs

from loan_approval import project
from loan_approval.commands.parsing import Adder, add_time_limit, asks_mlflow
from loan_approval.errors import SweepError


def add_commands(add: Adder) -> None:
    """Add sweep."""
    sweep = add("sweep", _sweep, "run a plan of trainings on Dask and rank them; exit 1 when one failed")
    sweep.add_argument("--plan", type=Path, help="a TOML file (default: sweep.toml beside the data set)")
    sweep.add_argument("--sample", type=_positive, help="run only so many of the plan, drawn at random")
    sweep.add_argument("--workers", type=_positive, help="processes on this machine (default: one a core)")
    add_time_limit(sweep, unit="seconds of a trial")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


@asks_mlflow
def _sweep(options: argparse.Namespace) -> None:
    from loan_approval.data.datasets import dataset_folder
    from loan_approval.notebooks.reports import write_index
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
