import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loan_approval.registry import history, tracking


def test_history_is_read_in_the_order_it_was_written() -> None:
    tracking.connect().create_registered_model("history_model")
    for number in range(12):
        history.append("history_model", {"event": "promote", "version": str(number)})
    assert [event["version"] for event in history.read("history_model")] == [str(n) for n in range(12)]


def test_a_database_of_another_schema_is_read_through_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TABLE other (key TEXT)")
    asked = []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(history, "_ask_mlflow", lambda name: asked.append(name) or {"history.1": '{"version": "3"}'})
    assert history.read("any_model") == [{"version": "3"}]
    assert asked == ["any_model"]


def test_a_folder_in_place_of_the_database_is_mlflows_to_refuse(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}")
    monkeypatch.setattr(history, "_ask_mlflow", lambda name: {})
    assert history.read("any_model") == []
