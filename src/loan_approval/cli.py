"""`python -m loan_approval …`, installed as `loan-approval` too: what the Makefile calls.

A command imports what it needs when it runs, so that help and errors come at once.
"""

import argparse
import signal
import sys
from functools import partial

from loan_approval.commands import COMMANDS
from loan_approval.commands.parsing import add_command
from loan_approval.data.folders import dataset_folder
from loan_approval.errors import LoanApprovalError
from serve import __version__
from serve.errors import ServeError

EXIT_CODES = "Exit codes: 0 done; 1 it failed, or what was judged is bad; 2 a wrong command line; 130 Ctrl-C."


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit 1 with the reason when it fails, 2 for a wrong call, 130 on Ctrl-C."""
    options = make_parser().parse_args(arguments)
    try:
        if dataset := getattr(options, "dataset", None):
            dataset_folder(dataset)  # an unknown one is told of before anything slow is imported
        from loan_approval.registry.tracking_server import plain_errors

        with plain_errors():
            options.command(options)
    except (LoanApprovalError, ServeError) as err:
        sys.exit(f"{type(err).__name__}: {err}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)  # as shells do


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="loan-approval", description="From a CSV to a promoted model.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"loan-approval {__version__}")
    add = partial(add_command, parser.add_subparsers(required=True, metavar="COMMAND"))
    for module in COMMANDS:
        module.add_commands(add)
    complete = add(
        "completion", partial(_complete, parser), "print what makes a shell complete these commands", dataset=False
    )
    complete.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def _complete(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    import shtab

    print(shtab.complete(parser, options.shell))
