"""The command on the shadow: which challenger scores what is answered."""

import argparse
import os

from loan_approval.commands.parsing import Adder, asks_mlflow


def add_commands(add: Adder) -> None:
    """Add shadow."""
    shadow = add("shadow", _shadow, "have a validated version score what is answered, beside it", dataset="loans")
    shadow.add_argument("--version", default="challenger", help="number or alias (default: %(default)s)")
    shadow.add_argument(
        "--alias",
        default=os.environ.get("SERVE_SHADOW_ALIAS") or "challenger",
        help="the one that the server's SERVE_SHADOW_ALIAS names (default: %(default)s)",
    )
    shadow.add_argument("--stop", action="store_true", help="no more; with an MLflow server the alias goes too")


@asks_mlflow
def _shadow(options: argparse.Namespace) -> None:
    from loan_approval.registry.shadowing import start_shadow, stop_shadow
    from loan_approval.registry.stores import model_and_store

    name, store = model_and_store(options.dataset)
    if options.stop:
        print(f"{name}: version {stop_shadow(name, store, options.alias)} scores in the shadow no more")
        return
    version = start_shadow(name, options.version, store, options.alias)
    print(f"{name}: version {version.number} scores in the shadow, sha256 {version.sha256}")
    print(f"servers with SERVE_SHADOW_ALIAS={options.alias} take it; no answer changes")
