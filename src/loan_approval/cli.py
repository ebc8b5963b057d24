"""`python -m loan_approval …`: what the Makefile calls."""

import argparse
import signal
import sys
from functools import partial

from loan_approval.commands import COMMANDS
from loan_approval.commands.parsing import add_command
from loan_approval.errors import LoanApprovalError
from serve.errors import ServeError


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit 1 with the reason when it fails, 2 for a wrong call, 130 on Ctrl-C."""
    options = make_parser().parse_args(arguments)
    try:
        options.command(options)
    except (LoanApprovalError, ServeError) as err:
        sys.exit(f"{type(err).__name__}: {err}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)  # as shells do


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m loan_approval", description="From a CSV to a promoted model.")
    add = partial(add_command, parser.add_subparsers(required=True, metavar="COMMAND"))
    for module in COMMANDS:
        module.add_commands(add)
    return parser
