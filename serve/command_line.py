"""The arguments of `python -m serve`, and its help: each setting with its variables, its default and its meaning.

What only an argument or a misspelt setting needs is imported for it alone: the parent of the workers stays small.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from serve import __version__
from serve.settings import VARIABLES, Settings
from serve.store.start import pointer_paths

SAGEMAKER_PORT = "8080"
SAGEMAKER_STORE = Path("/opt/ml/model")  # where SageMaker unpacks model.tar.gz
# Kubernetes adds these to every container for a Service that is named `serve`.
_match_service = re.compile("SERVE_(SERVICE_.+|PORT(_.+)?)").fullmatch


def read_arguments(arguments: Sequence[str], environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment to read the settings from.

    Exits with 0 after `--help` and `--version`, with 2 after an argument that is not known.
    """
    if not arguments:
        return environment
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m serve",
        description="Serve the model of a store over HTTP. All settings are environment variables.",
        epilog="\n".join(["settings, each with its default; an empty variable counts as unset:", *_describe()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    as_sagemaker = f"as Amazon SageMaker starts a container: port {SAGEMAKER_PORT}, the model in {SAGEMAKER_STORE}"
    parser.add_argument("command", nargs="?", choices=["serve"], help=as_sagemaker)
    parser.add_argument("--version", action="version", version=f"loan-approval {__version__}")
    return for_sagemaker(environment) if parser.parse_args(arguments).command else environment


def for_sagemaker(environment: Mapping[str, str], store: Path = SAGEMAKER_STORE) -> dict[str, str]:
    """Return the environment of a container that SageMaker started; it sets neither port nor store by itself.

    Source: Amazon SageMaker AI Developer Guide, "Custom Inference Code with Hosting Services".
    """
    port = environment.get("SAGEMAKER_BIND_TO_PORT") or SAGEMAKER_PORT
    alias = environment.get("SERVE_MODEL_ALIAS") or Settings.model_alias
    has_model = pointer_paths(store, alias)[0].is_file()
    return {**environment, "SAGEMAKER_BIND_TO_PORT": port} | ({"SERVE_STORE": str(store)} if has_model else {})


def find_unknown(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable `SERVE_…` that is no setting, with the setting of the most similar name."""
    known = {variable for variables in VARIABLES.values() for variable in variables}
    unknown = [name for name in sorted(environment.keys() - known) if name.startswith("SERVE_")]
    if not unknown:
        return []
    from difflib import get_close_matches

    similar = {name: get_close_matches(name, known, 1, 0.8) for name in unknown if not _match_service(name)}
    return [
        f"{name} is no setting and has no effect" + (f"; {matches[0]} is one" if matches else "")
        for name, matches in similar.items()
    ]


def _describe() -> Iterator[str]:
    for setting in fields(Settings):
        if meaning := setting.metadata.get("meaning"):
            for variable in setting.metadata["variables"] or [f"SERVE_{setting.name.upper()}"]:
                yield f"  {variable:<33} {_show(setting.default):<26} {meaning}"


def _show(default: Any) -> str:
    if default in (None, "") or default is False:
        return "none"
    return f"{default:g}" if isinstance(default, float) else str(default)
