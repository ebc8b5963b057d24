"""The command that says what a load takes."""

import argparse

from loan_approval.capacity import describe, meanings, replace_figures
from loan_approval.commands.parsing import Adder, positive


def add_commands(add: Adder) -> None:
    """Add capacity."""
    capacity = add("capacity", _capacity, "what a load takes in machines and money, as Markdown")
    for name, (default, meaning) in meanings().items():
        option = "--" + name.replace("_", "-")
        capacity.add_argument(option, type=positive, metavar="NUMBER", help=f"{meaning} (default: {default:g})")


def _capacity(options: argparse.Namespace) -> None:
    print(describe(replace_figures({name: getattr(options, name) for name in meanings()})))
