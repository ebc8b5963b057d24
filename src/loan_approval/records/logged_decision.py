"""One decision of a prediction log: finds it by its id, and adds what a person decided about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from loan_approval.errors import LogError
from loan_approval.records.day_files import DECISIONS, REVIEWS, day_files, parse_line, split_lines
from loan_approval.records.rewriting import append_line, changing

LONGEST = 4000  # characters of a reason


def find_decision(folder: Path, decision_id: str) -> dict[str, Any]:
    """Return the line of a decision, with the values that were scored.

    Raises LogError when the log has no such decision, or has it on a broken line.
    """
    text, field = f'"{decision_id}"'.encode(), f'"decision_id":"{decision_id}"'.encode()
    near, broken = _days_near(decision_id), ""
    files = sorted(day_files(folder / DECISIONS), reverse=True)
    for path in sorted(files, key=lambda path: path.parent.name not in near):
        for number, line in enumerate(split_lines(path)[0], 1):
            if text not in line:
                continue
            document = parse_line(line)
            if document and document.get("decision_id") == decision_id:
                return document
            if not document and field in line:
                broken = broken or f"{path}: line {number}"
    if broken:
        raise LogError(f"{broken} is broken, expected the JSON object of {decision_id!r}")
    expected = "expected the id of an answer (a row of a batch: <id>.<row>)"
    raise LogError(f"{folder}: no decision {decision_id!r}, {expected}")


def add_review(folder: Path, decision_id: str, outcome: str, reviewer: str, reason: str) -> dict[str, str]:
    """Append a person's outcome of a logged decision and return its line. Of several reviews, the last one counts.

    Raises LogError when there is no such decision, and for a reviewer or reason that can't be used.
    """
    reviewer, reason = reviewer.strip(), reason.strip()
    for name, text in (("reviewer", reviewer), ("reason", reason)):
        if not 0 < len(text) <= LONGEST or not text.isprintable():
            raise LogError(f"{name}: expected 1 to {LONGEST:,} printable characters")
    with changing(folder):  # so that the decision can't be erased before its review is written
        find_decision(folder, decision_id)
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        review = {"time": time, "decision_id": decision_id, "reviewer": reviewer, "outcome": outcome, "reason": reason}
        append_line(folder / REVIEWS, review)
    return review


def _days_near(decision_id: str) -> set[str]:
    """Return the day that a decision id, a UUIDv7, begins with, and the days before and after; {} for other ids."""
    try:
        milliseconds = UUID(decision_id.partition(".")[0]).int >> 80
        time = datetime.fromtimestamp(milliseconds / 1000, UTC)
        return {f"{time + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)}
    except (OverflowError, ValueError):  # not a UUID, or a time that has no date
        return set()
