"""Commands for the whole: the server, MLflow's UI, and everything from data to an answered request."""

import argparse
import os
import sys

from loan_approval import project
from loan_approval.commands.parsing import Adder, asks_mlflow
from serve.settings import Settings


def add_commands(add: Adder) -> None:
    """Add serve, mlflow and run."""
    add("serve", _serve, "serve what is in production", dataset="loans")
    add("mlflow", _mlflow, "show MLflow's UI")
    run = add("run", _run, "everything: explore, train, validate, promote, serve, ask", dataset="loans")
    run.add_argument("--model-name")
    run.add_argument("--preprocessor-name")


def _serve(options: argparse.Namespace) -> None:
    from loan_approval.records.prediction_log import prediction_log_folder
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    environment = os.environ | {"SERVE_MODEL_NAME": name, "SERVE_STORE": str(store.path)}
    environment |= {"SERVE_PREDICTION_LOG": str(prediction_log_folder(name))}
    os.execve(sys.executable, [sys.executable, "-m", "serve"], environment)  # noqa: S606 (this very interpreter)


def _mlflow(_options: argparse.Namespace) -> None:
    from loan_approval.registry.tracking_server import tracking_uri

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri()]
    os.execv(sys.executable, [*command, "--port", os.environ.get("MLFLOW_PORT") or "5000"])  # noqa: S606


@asks_mlflow
def _run(options: argparse.Namespace) -> None:
    from loan_approval.pipeline.pipeline import run_everything

    chosen = {"model_name": options.model_name, "preprocessor_name": options.preprocessor_name}
    texts = {name: value for name, value in chosen.items() if value}
    run_everything(options.dataset, texts, project.REPORTS, Settings.from_environment(os.environ).port)
