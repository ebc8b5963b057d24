"""What MLflow keeps of a version beside its file: facts, verdict, signature; and the history of promotions."""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from loan_approval.errors import TrackingError
from loan_approval.tracking import Version, connect


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


def append_history(name: str, event: Mapping[str, str]) -> None:
    """Append one event to the record of promotions, which lives beside the alias it tells of."""
    key = f"history.{time.time_ns():020d}.{secrets.token_hex(2)}"  # no two writers share one
    connect().set_registered_model_tag(name, key, json.dumps(event, ensure_ascii=False))


def read_history(name: str) -> list[dict[str, str]]:
    """Return the record of promotions, oldest first."""
    try:
        tags = connect().get_registered_model(name).tags
    except MlflowException as err:
        if err.error_code == "RESOURCE_DOES_NOT_EXIST":
            return []
        raise
    return [json.loads(tags[key]) for key in sorted(tags) if key.startswith("history.")]
