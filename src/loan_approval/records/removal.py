"""Removes from a prediction log: an applicant (`erase`), or days that are too old (`retain`).

The decisions are removed last, since their ids are needed to find scores and reviews. So a removal that was killed is
completed by running it again.
"""

import getpass
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loan_approval.errors import LogError
from loan_approval.records.reading import DECISIONS, REFUSALS, REVIEWS, SHADOW, day_files, decision_id_of, split_lines
from loan_approval.records.rewriting import (
    append_line,
    changing,
    finish_files,
    keep_lines,
    remove_decisions,
    remove_folder,
)
from serve.records.applicant import LONGEST_KEY, SECRET, hash_applicant, is_key, read_secret

WAIT_SECONDS = 30.0  # a server looks for requests each second
_KINDS = (DECISIONS, SHADOW, REFUSALS)


def erase(folder: Path, secret: bytes, key: str, seconds: float = WAIT_SECONDS) -> int:
    """Remove every line about the applicant with this key that was decided before now; return how many decisions.

    Servers continue in new files meanwhile; LogError names the file of one that does not within `seconds`.
    `erasures.jsonl` records that somebody was erased, but not who.
    """
    if not is_key(key.encode()):
        raise LogError(f"the applicant's key: expected 1 to {LONGEST_KEY} printable ASCII characters without a comma")
    mark = f'"{hash_applicant(secret, key.encode())}"'.encode()
    with changing(folder):
        decision_files = list(day_files(folder / DECISIONS))
        finish_files(decision_files, seconds)
        ids = {decision_id_of(line) for path in decision_files for line in split_lines(path)[0] if mark in line}
        _record(folder, "begun", len(ids))
        shadow_files = list(day_files(folder / SHADOW))  # listed now, since scores are written after the decisions
        finish_files(shadow_files, seconds)
        for path in [*shadow_files, folder / REVIEWS]:
            remove_decisions(path, ids)
        for path in decision_files:
            keep_lines(path, lambda line: mark not in line)
        _record(folder, "done", len(ids))
    return len(ids)


def load_secret(folder: Path) -> bytes:
    """Return the secret of a log: of `SERVE_APPLICANT_SECRET_FILE`, else its own. Raises LogError, SettingsError."""
    path = Path(os.environ.get("SERVE_APPLICANT_SECRET_FILE") or folder / SECRET)
    try:
        return read_secret(path)
    except OSError as err:
        raise LogError(f"{path}: the secret of applicants' keys can't be read: {err.strerror}") from err


@dataclass(frozen=True)
class Removed:
    """The removed days (YYYY-MM-DD), and how many decisions and reviews of them were removed."""

    days: tuple[str, ...]
    decisions: int
    reviews: int


def retain(folder: Path, days: int, seconds: float = WAIT_SECONDS) -> Removed:
    """Remove the days that lie more than `days` before today (UTC), the oldest first.

    Raises LogError, also when a server still writes to such a day after `seconds`.
    """
    if days < 1:
        raise LogError(f"days {days}, expected at least 1")
    last = f"{datetime.now(UTC) - timedelta(days=days + 1):%Y-%m-%d}"
    with changing(folder):
        old = sorted({path.name for path in folder.glob("*/????-??-??") if path.name <= last})
        finish_files((path for kind in _KINDS for path in day_files(folder / kind, last=last)), seconds)
        decisions = reviews = 0
        for day in old:
            files = day_files(folder / DECISIONS, day, day)
            ids = {decision_id_of(line) for path in files for line in split_lines(path)[0]} - {None}
            decisions += len(ids)
            reviews += remove_decisions(folder / REVIEWS, ids)
            for kind in _KINDS:
                if (folder / kind / day).is_dir():
                    remove_folder(folder / kind / day)
    return Removed(tuple(old), decisions, reviews)


def _record(folder: Path, event: str, decisions: int) -> None:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"time": time, "by": getpass.getuser(), "event": event, "decisions": decisions}
    append_line(folder / "erasures.jsonl", line)
