"""Prediction logs written as the server writes them, for the tests of what reads them."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serve.decision_id import make_decision_id

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def write_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def make_id(time: datetime = NOON) -> str:
    """Return a UUIDv7 of this time."""
    digits = f"{int(time.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}{make_decision_id()[13:]}"


def make_line(inputs: Mapping[str, Any], time: datetime = NOON, **changes: Any) -> dict[str, Any]:
    """Return the line of a decision about these inputs; `changes` replace or add keys, "monitored.…" among them."""
    line = {
        **{"time": write_time(time), "decision_id": make_id(time), "route": "/api/v2/decision"},
        **{"model_name": "loan_approval_model", "model_version": "1", "model_sha256": "a" * 64, "contract": "c" * 64},
        **{f"input.{name}": value for name, value in inputs.items()},
        **{"probability": 0.75, "code": 1, "label": "Approved", "band": "approve", "reasons": ["CREDIT_SCORE"]},
        **{"applicant": None, "latency_ms": 0.4},
    }
    return line | changes


def write_lines(
    folder: Path, lines: Sequence[Mapping[str, Any]], kind: str = "decisions", writer: str = "w1-000000", tail: str = ""
) -> list[Path]:
    """Append lines to the log, each to the file of its day, and `tail` as it is to the last one; return the files."""
    files: dict[Path, None] = {}
    for line in lines:
        path = folder / kind / (line.get("time") or line["minute"])[:10] / f"{writer}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
        files[path] = None
    if tail:
        with list(files)[-1].open("a", encoding="utf-8") as file:
            file.write(tail)
    return list(files)
