"""Finds one decision in a prediction log; its id, a UUIDv7, tells the day."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loan_approval.errors import LogError
from loan_approval.records.prediction_log import DECISIONS, day_files, loads

_UUIDV7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(\.\d+)?")


def find_decision(folder: Path, decision_id: str) -> dict[str, Any]:
    """Return the line of a decision, the values as they were scored. Raises LogError when the log has none, or has it
    on a line that is broken.
    """
    broken = ""
    for path in _files_by_nearness(folder / DECISIONS, decision_id):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # removed meanwhile, by retention say
            continue
        except OSError as err:
            raise LogError(f"{path}: can't be read: {err.strerror}") from err
        if line := _find_line(data, decision_id):
            return line
        broken = broken or _find_broken(path, data, decision_id)
    if broken:
        raise LogError(f"{broken} is broken, expected the JSON object of {decision_id!r}")
    raise LogError(
        f"{folder}: no decision {decision_id!r}, expected the id of an answer (a row of a batch: <id>.<row>)"
    )


def _files_by_nearness(folder: Path, decision_id: str) -> Iterator[Path]:
    """Yield all files of decisions, those of the day that the id tells of and of its neighbours first."""
    near = _days_near(decision_id)
    later = []
    for path in day_files(folder):
        if path.parent.name in near:
            yield path
        else:
            later.append(path)
    yield from reversed(later)


def _days_near(decision_id: str) -> set[str]:
    match = _UUIDV7.fullmatch(decision_id)
    if not match:
        return set()
    try:
        made = datetime.fromtimestamp(int(match[1] + match[2], 16) / 1000, UTC)
        return {f"{made + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)}
    except (OverflowError, ValueError):  # an id from a time that has no date
        return set()


def _find_line(data: bytes, decision_id: str) -> dict[str, Any] | None:
    """Return the line with this id; a line that only mentions it, or is torn, is none."""
    needle, start = b'"' + decision_id.encode() + b'"', 0
    while (found := data.find(needle, start)) >= 0:
        end = data.find(b"\n", found)
        end = len(data) if end < 0 else end
        line = loads(data[data.rfind(b"\n", 0, found) + 1 : end])
        if line and line.get("decision_id") == decision_id:
            return line
        start = end
    return None


def _find_broken(path: Path, data: bytes, decision_id: str) -> str:
    """Name the finished line that has this id and is no JSON object, "" where there is none."""
    found = data.find(f'"decision_id":"{decision_id}"'.encode())
    end = data.find(b"\n", found)
    if found < 0 or end < 0 or loads(data[data.rfind(b"\n", 0, found) + 1 : end]):
        return ""
    number = data.count(b"\n", 0, found) + 1
    return f"{path}: line {number}"
