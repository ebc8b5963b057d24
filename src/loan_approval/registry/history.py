"""The record of promotions: tags of the registered model, appended to and never changed."""

import getpass
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from loan_approval.registry.tracking_server import connect, mlflow_error, tracking_uri

SHADOW_EVENTS = ("shadow", "shadow ended")  # in the record, but no promotions


def stamp(event: dict[str, str]) -> dict[str, str]:
    """Return an event with who and when."""
    return event | {"by": getpass.getuser(), "at": datetime.now(UTC).isoformat(timespec="seconds")}


def append(name: str, event: Mapping[str, str]) -> None:
    """Append a stamped event to the record of a model."""
    key = f"history.{time.time_ns():020d}.{secrets.token_hex(2)}"  # no two writers share one
    connect().set_registered_model_tag(name, key, json.dumps(event, ensure_ascii=False))


def read(name: str) -> list[dict[str, str]]:
    """Return the record of promotions, oldest first."""
    path = re.fullmatch(r"sqlite:///([\w ./-]+)", tracking_uri())
    tags = _read_database(path[1], name) if path else _ask_mlflow(name)
    return [json.loads(tags[key]) for key in sorted(tags) if key.startswith("history.")]


def _read_database(path: str, name: str) -> dict[str, str]:
    """Return a model's tags as they stand in MLflow's database: its client takes seconds to load, SQL does not."""
    if not Path(path).exists():
        return {}  # MLflow would make it
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as database:
            return dict(database.execute("SELECT key, value FROM registered_model_tags WHERE name = ?", (name,)))
    except sqlite3.Error:  # such as a schema of another MLflow, or a lock
        return _ask_mlflow(name)


def _ask_mlflow(name: str) -> dict[str, str]:
    try:
        return connect().get_registered_model(name).tags
    except mlflow_error() as err:
        if err.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise


def promoted_versions(name: str) -> list[str]:
    """Return the stack of versions in production, the current one last: a rollback takes the top off."""
    return last_step(name)[1]


def last_step(name: str) -> tuple[list[str], list[str]]:
    """Return the stack before and after the last event of the record."""
    before: list[str] = []
    after: list[str] = []
    for event in read(name):
        match event["event"]:
            case "not carried out":
                after = before
            case shadow if shadow in SHADOW_EVENTS:
                pass
            case "rollback":
                before, after = after, after[:-1]
                while after and after[-1] != event["version"]:
                    after = after[:-1]
            case _:
                before, after = after, [*after, event["version"]]
    return before, after
