"""Prediction logs written as the server writes them, for the tests of what reads them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serve.model.reasons import explain_decision
from serve.model.scorer import Scorer, name_band
from serve.model.shapley import Explainer
from serve.records.decided import make_decision_id

ROOT = Path(__file__).parents[1]
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


def decide_line(data: bytes, application: Mapping[str, Any], time: datetime = NOON, **changes: Any) -> dict[str, Any]:
    """Return the line of a decision that this model file makes."""
    scorer = Scorer(data)
    X = scorer.contract.encode(application)
    decision = scorer.answer_row(X)
    band = name_band(decision.probability, *scorer.review_band)
    _, reasons = explain_decision(scorer, Explainer(scorer), X, decision.probability)
    made = {
        **{"model_name": scorer.contract.model_name, "model_sha256": scorer.sha256},
        **{"contract": scorer.contract.fingerprint, "probability": decision.probability, "code": decision.code},
        **{"label": decision.label, "band": band, "reasons": [reason.code for reason in reasons]},
    }
    inputs = {feature.name: application.get(feature.name) for feature in scorer.contract.scored}
    return make_line(inputs, time, **(made | changes))


@contextmanager
def live_writer(folder: Path, lines: Sequence[Mapping[str, Any]], kind: str = "decisions") -> Iterator[Path]:
    """Run a process that has written these lines, of one day, and goes on as a server does; yields its first file."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), kind],
        **{"cwd": ROOT, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
    )
    try:
        process.stdin.write("".join(json.dumps(line) + "\n" for line in lines) + "\n")
        process.stdin.flush()
        yield Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


# Writes again after each file that it was asked to finish: what a server does that is asked meanwhile.
_WRITER = """
import sys, time
from pathlib import Path
from serve.records.log_file import LogFile

folder, kind = Path(sys.argv[1]), sys.argv[2]
file = LogFile(folder, kind, 2**20)
lines = list(iter(sys.stdin.readline, "\\n"))
file.append("".join(lines).encode())
print(next((folder / kind).glob("*/*.jsonl")), flush=True)
while True:
    time.sleep(0.02)
    open_before = file._file is not None
    file.tick()
    if open_before and file._file is None:
        file.append(lines[0].replace("early", "late").encode())
"""
