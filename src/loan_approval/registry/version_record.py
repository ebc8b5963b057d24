"""What MLflow keeps of a version beside its file: metadata, verdict, signature."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from loan_approval.errors import TrackingError
from loan_approval.registry.tracking import Version, connect


def record_verdict(version: Version, verdict: str, metadata: Mapping[str, Any]) -> None:
    """Record metrics, gates and verdict with a version: the metadata, and the verdict as its tag."""
    record_metadata(version, metadata)
    connect().set_model_version_tag(version.name, version.number, "verdict", verdict)


def record_metadata(version: Version, metadata: Mapping[str, Any]) -> None:
    """Log a version's metadata as one JSON keyed by the file's sha256, and the card among them as a page beside it."""
    client = connect()
    client.log_dict(version.run, dict(metadata), f"verdict/{version.sha256}.json")
    if "card" in metadata:
        client.log_text(version.run, metadata["card"], f"card/{version.sha256}.html")


def record_signature(version: Version) -> None:
    """Record the signature of a version's file, if it has one, where servers that follow the alias read it."""
    if version.signature:
        connect().set_model_version_tag(version.name, version.number, "signature", version.signature)


def load_metadata(version: Version) -> dict[str, Any]:
    """Return the metadata recorded with the verdict. Raises TrackingError when there are none."""
    path = f"runs:/{version.run}/verdict/{version.sha256}.json"
    try:
        return json.loads(Path(mlflow.artifacts.download_artifacts(path)).read_bytes())
    except (MlflowException, OSError) as err:
        raise TrackingError(f"{version.name} version {version.number} was not validated") from err
