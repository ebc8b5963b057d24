"""What the command modules share: adding a command, and options of several."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from loan_approval import project
from loan_approval.errors import DataError

Command = Callable[[argparse.Namespace], None]
Adder = Callable[..., argparse.ArgumentParser]  # `add_command` with its first argument bound


def add_command(
    commands: argparse._SubParsersAction, name: str, command: Command, purpose: str, dataset: bool = True
) -> argparse.ArgumentParser:
    """Add a command and return its parser. dataset: whether it takes `--dataset`, by default loans."""
    parser = commands.add_parser(name, help=purpose, description=purpose)
    parser.set_defaults(command=command)
    if dataset:
        parser.add_argument("--dataset", default="loans", help="a folder below data/, or a path (default: %(default)s)")
    return parser


def add_time_limit(parser: argparse.ArgumentParser, default: int = 1800, unit: str = "seconds") -> None:
    """Add `--time-limit`."""
    parser.add_argument("--time-limit", type=positive, default=default, help=f"{unit} (default: %(default)s)")


def add_json(parser: argparse.ArgumentParser, content: str) -> None:
    """Add `--json`: standard output is JSON then, and what is said on the way goes to standard error."""
    parser.add_argument("--json", action="store_true", help=f"print {content} as JSON")


def positive(text: str) -> float:
    """Return a finite number above 0. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return number


def name_value(text: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE")
    return name, value


def set_options(options: argparse.Namespace, *names: str) -> dict[str, str]:
    """Return the options of these names that the command has and that are set."""
    values = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def require_file(path: str | Path | None) -> None:
    """Raise DataError where a file is named that is not there, before anything slow is imported."""
    if path and not Path(path).exists():
        raise DataError(f"{path}: no such file")


def run_step(notebook: str, texts: Mapping[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Run a notebook of the line and return its result; with `--json`, print it."""
    from loan_approval.pipeline import pipeline  # slow to import, so after what fails at once

    with redirect_stdout(sys.stderr) if options.json else nullcontext():
        result = pipeline.run_step(notebook, texts, project.REPORTS, options.time_limit)
    if options.json:
        print(json.dumps(result, ensure_ascii=False), flush=True)
    return result
