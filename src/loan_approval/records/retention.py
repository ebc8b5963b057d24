"""How long a prediction log is kept: whole days go, with the reviews of their decisions."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loan_approval.errors import LogError
from loan_approval.records.log_files import WAIT_SECONDS, changing, finish_files, keep_lines, remove_folder
from loan_approval.records.prediction_log import (
    DECISIONS,
    REFUSALS,
    REVIEWS,
    SHADOW,
    day_files,
    decision_id_of,
    split_lines,
)

_KINDS = (DECISIONS, SHADOW, REFUSALS)


@dataclass(frozen=True)
class Removed:
    """What went: the days (YYYY-MM-DD), how many decisions, how many reviews of them."""

    days: tuple[str, ...]
    decisions: int
    reviews: int


def retain(folder: Path, days: int, seconds: float = WAIT_SECONDS) -> Removed:
    """Remove the days that lie more than `days` before today (UTC), the oldest first.

    Run again, it completes one that was killed. Raises LogError, also when a server still writes to such a day after
    `seconds`.
    """
    if days < 1:
        raise LogError(f"days {days}, expected at least 1")
    last = f"{datetime.now(UTC) - timedelta(days=days + 1):%Y-%m-%d}"
    with changing(folder):
        old = sorted({path.name for path in folder.glob("*/????-??-??") if path.name <= last})
        finish_files((path for kind in _KINDS for path in day_files(folder / kind, last=last)), seconds)
        decisions = reviews = 0
        for day in old:
            ids = _ids_of(folder, day)
            decisions += len(ids)
            # Before the decisions, as it takes their ids to find their reviews.
            reviews += keep_lines(folder / REVIEWS, lambda line, ids=ids: decision_id_of(line) not in ids)
            for kind in _KINDS:
                if (folder / kind / day).is_dir():
                    remove_folder(folder / kind / day)
    return Removed(tuple(old), decisions, reviews)


def _ids_of(folder: Path, day: str) -> set[str | None]:
    files = day_files(folder / DECISIONS, day, day)
    return {decision_id_of(line) for path in files for line in split_lines(path)[0]} - {None}
