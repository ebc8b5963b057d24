"""What MLflow keeps of a version beside its file: facts, verdict, signature."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from loan_approval.errors import TrackingError
from loan_approval.registry.tracking import Version, connect


def record_verdict(version: Version, verdict: str, facts: Mapping[str, Any]) -> None:
    """Record metrics, gates and verdict with a version: the facts, and the verdict as its tag."""
    record_facts(version, facts)
    connect().set_model_version_tag(version.name, version.number, "verdict", verdict)


def record_facts(version: Version, facts: Mapping[str, Any]) -> None:
    """Log a version's facts as one JSON keyed by the file's sha256, and the card among them as a page beside it."""
    client = connect()
    client.log_dict(version.run, dict(facts), f"verdict/{version.sha256}.json")
    if "card" in facts:
        client.log_text(version.run, facts["card"], f"card/{version.sha256}.html")


def record_signature(version: Version) -> None:
    """Record the signature of a version's file, if it has one, where servers that follow the alias read it."""
    if version.signature:
        connect().set_model_version_tag(version.name, version.number, "signature", version.signature)


def load_facts(version: Version) -> dict[str, Any]:
    """Return the facts recorded with the verdict. Raises TrackingError when there are none."""
    path = f"runs:/{version.run}/verdict/{version.sha256}.json"
    try:
        return json.loads(Path(mlflow.artifacts.download_artifacts(path)).read_bytes())
    except (MlflowException, OSError) as err:
        raise TrackingError(f"{version.name} version {version.number} was not validated") from err
