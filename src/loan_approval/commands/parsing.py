"""What the commands share: how one is added, and how a trouble of MLflow's server is told."""

import argparse
from collections.abc import Callable
from functools import wraps


class Adder:
    """Adds commands to the parser."""

    def __init__(self, commands: argparse._SubParsersAction) -> None:
        self._commands = commands

    def __call__(
        self, name: str, command: Callable[[argparse.Namespace], None], purpose: str, dataset: str | None = None
    ) -> argparse.ArgumentParser:
        """Add a command; with `dataset`, it takes `--dataset` and that is the default."""
        parser = self._commands.add_parser(name, help=purpose, description=purpose)
        parser.set_defaults(command=command)
        if dataset:
            parser.add_argument(
                "--dataset", default=dataset, help="a folder below data/, or a path (default: %(default)s)"
            )
        return parser


def add_notebook_options(parser: argparse.ArgumentParser) -> None:
    """Add what each command that runs a notebook takes: a time limit, and the notebook's parameters."""
    parser.add_argument("--time-limit", type=positive, default=1800, help="seconds (default: %(default)s)")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", type=_name_value)


def positive(text: str) -> float:
    """Return a finite number above 0. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return number


def _name_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE")
    return name, value


def asks_mlflow(command: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """Say in one line what is wrong with MLflow's server, if it is that."""

    @wraps(command)
    def run(options: argparse.Namespace) -> None:
        from loan_approval.registry.tracking_server import plain_errors

        with plain_errors():
            command(options)

    return run
