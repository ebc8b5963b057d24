"""Erases an applicant from a prediction log: decisions, the challengers' scores of them, and people's reviews.

The decisions are removed last. The scores and reviews are found by the ids of the decisions, so an erasure that was
killed is completed by running it again.
"""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path

from loan_approval.errors import LogError
from loan_approval.records.reading import DECISIONS, REVIEWS, SHADOW, day_files, decision_id_of, split_lines
from loan_approval.records.rewriting import (
    WAIT_SECONDS,
    append_line,
    changing,
    finish_files,
    keep_lines,
    remove_decisions,
)
from serve.records.applicant import LONGEST_KEY, SECRET, hash_applicant, is_key, read_secret

ERASURES = "erasures.jsonl"


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


def _record(folder: Path, event: str, decisions: int) -> None:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(folder / ERASURES, {"time": time, "by": getpass.getuser(), "event": event, "decisions": decisions})
