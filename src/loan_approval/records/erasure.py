"""Erases an applicant from a prediction log: decisions, the challengers' scores of them, and people's reviews.

The decisions go last. What belongs to them is found by their ids, so an erasure that was killed is completed by
running it again.
"""

import getpass
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from loan_approval.errors import LogError
from loan_approval.records.log_files import WAIT_SECONDS, append_line, changing, finish_files, keep_lines
from loan_approval.records.prediction_log import DECISIONS, REVIEWS, SHADOW, day_files, decision_id_of, split_lines
from serve.records.applicant import LONGEST_KEY, SECRET, hash_applicant, is_key, read_secret

ERASURES = "erasures.jsonl"


def erase(folder: Path, secret: bytes, key: str, seconds: float = WAIT_SECONDS) -> int:
    """Remove every line about the applicant with this key that was decided before now; return how many decisions.

    The servers go on meanwhile, in new files; one that doesn't within `seconds` is a LogError that names the file.
    That somebody was erased is recorded in `erasures.jsonl`, who it was is not.
    """
    if not is_key(key.encode()):
        raise LogError(f"the applicant's key: expected 1 to {LONGEST_KEY} printable ASCII characters without a comma")
    mark = f'"{hash_applicant(secret, key.encode())}"'.encode()
    with changing(folder):
        decided = list(day_files(folder / DECISIONS))
        finish_files(decided, seconds)
        ids = {decision_id_of(line) for path in decided for line in _marked(path, mark)}
        _record(folder, "begun", len(ids))
        scored = list(day_files(folder / SHADOW))  # a challenger's score comes after the decision
        finish_files(scored, seconds)
        for path in [*scored, folder / REVIEWS]:
            keep_lines(path, _is_of_others(ids))
        for path in decided:
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


def _marked(path: Path, mark: bytes) -> list[bytes]:
    try:
        return [line for line in split_lines(path)[0] if mark in line]
    except FileNotFoundError:
        return []


def _is_of_others(ids: set[str | None]) -> Callable[[bytes], bool]:
    known = ids - {None}  # once: one key may stand in a whole batch, and a copy of its ids a line adds up
    return lambda line: decision_id_of(line) not in known


def _record(folder: Path, event: str, decisions: int) -> None:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(folder / ERASURES, {"time": time, "by": getpass.getuser(), "event": event, "decisions": decisions})
