"""`python -m loan_approval …`: what the Makefile calls."""

import argparse
import signal
import sys

from loan_approval.commands import COMMANDS
from loan_approval.commands.parsing import Adder
from loan_approval.errors import LoanApprovalError
from serve.errors import ServeError


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit 1 with its reason when it is refused, 2 when it was called wrongly, 130 on Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (LoanApprovalError, ServeError) as err:
        sys.exit(f"{type(err).__name__}: {err}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)  # as a shell says it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loan_approval", description="From a CSV to a promoted model.")
    add = Adder(parser.add_subparsers(required=True, metavar="COMMAND"))
    for module in COMMANDS:
        module.add_commands(add)
    return parser
