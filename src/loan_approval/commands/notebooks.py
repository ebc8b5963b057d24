"""Commands that run a notebook: explore, train, validate."""

import argparse
import sys

from loan_approval import project
from loan_approval.commands.parsing import Adder, add_notebook_options, asks_mlflow


def add_commands(add: Adder) -> None:
    """Add explore, train and validate."""
    explore = add("explore", _run_notebook, "report what is in a data set", dataset="loans")
    train = add("train", _run_notebook, "train, export and register a challenger", dataset="loans")
    train.add_argument("--model-name")
    train.add_argument("--preprocessor-name")
    validate = add("validate", _run_notebook, "judge a version; exit 1 when its verdict is failed", dataset="loans")
    validate.add_argument("--version", help="number or alias")
    for command, notebook in ((explore, "01_explore"), (train, "02_train"), (validate, "03_validate")):
        command.set_defaults(notebook=notebook)
        add_notebook_options(command)


@asks_mlflow
def _run_notebook(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import run_step

    named = ("dataset", "model_name", "preprocessor_name", "version")
    texts = {name: getattr(options, name) for name in named if getattr(options, name, None) is not None}
    texts |= dict(options.parameter)
    result = run_step(options.notebook, texts, project.REPORTS, options.time_limit)
    if result.get("verdict") == "failed":
        reasons = "; ".join(gate["words"] for gate in result["gates"] if not gate["passed"])
        sys.exit(f"{result['name']} version {result['version']} failed: {reasons}")
