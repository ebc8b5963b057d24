"""Limits how long a prediction log is kept: removes whole days, and the reviews of their decisions."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loan_approval.errors import LogError
from loan_approval.records import reading
from loan_approval.records.rewriting import WAIT_SECONDS, changing, finish_files, remove_decisions, remove_folder

_KINDS = (reading.DECISIONS, reading.SHADOW, reading.REFUSALS)


@dataclass(frozen=True)
class Removed:
    """The removed days (YYYY-MM-DD), and how many decisions and reviews of them were removed."""

    days: tuple[str, ...]
    decisions: int
    reviews: int


def retain(folder: Path, days: int, seconds: float = WAIT_SECONDS) -> Removed:
    """Remove the days that lie more than `days` before today (UTC), the oldest first.

    A second run completes one that was killed. Raises LogError, also when a server still writes to such a day after
    `seconds`.
    """
    if days < 1:
        raise LogError(f"days {days}, expected at least 1")
    last = f"{datetime.now(UTC) - timedelta(days=days + 1):%Y-%m-%d}"
    with changing(folder):
        old = sorted({path.name for path in folder.glob("*/????-??-??") if path.name <= last})
        finish_files((path for kind in _KINDS for path in reading.day_files(folder / kind, last=last)), seconds)
        decisions = reviews = 0
        for day in old:
            files = reading.day_files(folder / reading.DECISIONS, day, day)
            ids = {reading.decision_id_of(line) for path in files for line in reading.split_lines(path)[0]} - {None}
            decisions += len(ids)
            # Before the decisions, whose ids are needed to find the reviews.
            reviews += remove_decisions(folder / reading.REVIEWS, ids)
            for kind in _KINDS:
                if (folder / kind / day).is_dir():
                    remove_folder(folder / kind / day)
    return Removed(tuple(old), decisions, reviews)
