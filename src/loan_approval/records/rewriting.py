"""Changes a prediction log while servers write to it: erases an applicant, removes old days, appends lines.

One change at a time, no line half written, none lost. A server holds a `flock` on the file it writes to, so a file
without one is finished. `<file>.rotate` beside it asks the server to finish the file and to continue in a new one.
Decisions are removed last, since their ids are needed to find scores and reviews. So a removal that was killed is
completed by running it again.
"""

import fcntl
import getpass
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loan_approval.errors import LogError
from loan_approval.records.day_files import (
    DECISIONS,
    REFUSALS,
    REVIEWS,
    SHADOW,
    day_files,
    decision_id_of,
    require_log,
    split_lines,
)
from serve.files import flush_folder, write_atomically
from serve.records.applicant import LONGEST_KEY, SECRET, hash_applicant, is_key, read_secret
from serve.records.log_file import PRIVATE_FILE

WAIT_SECONDS = 30.0  # a server looks for requests each second
_POLL_SECONDS = 0.02
_KINDS = (DECISIONS, SHADOW, REFUSALS)
_LEFTOVER = re.compile(r"\..+\.jsonl\.[0-9a-f]{8}|\.\d{4}-\d\d-\d\d\.removed")


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Lock the log against other changes, and first remove what a change that was killed left behind.

    Raises LogError when the log does not exist, or when any step of the change fails.
    """
    require_log(folder)
    try:
        with open(folder / ".lock", "ab", opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the process ends
            for path in [*folder.glob(".*"), *folder.glob("*/.*"), *folder.glob("*/*/.*")]:
                if _LEFTOVER.fullmatch(path.name):
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            yield
    except OSError as err:
        raise LogError(f"{err.filename or folder}: can't be changed: {err.strerror}") from err


def finish_files(paths: Iterable[Path], seconds: float) -> None:
    """Ask the servers that write to these files to continue in others, and wait until no file is written to.

    Raises LogError that names a file to which a server still writes after so many seconds.
    """
    requests = {path: path.with_name(f"{path.name}.rotate") for path in paths if _is_written(path)}
    deadline = time.monotonic() + seconds
    try:
        for request in requests.values():
            request.touch()
        for path in requests:
            while _is_written(path):
                if time.monotonic() > deadline:
                    raise LogError(f"{path}: its server still writes to it after {seconds:g} s; nothing was removed")
                time.sleep(_POLL_SECONDS)
    finally:
        for request in requests.values():  # a server that ended did not remove its request
            request.unlink(missing_ok=True)


def keep_lines(path: Path, keep: Callable[[bytes], bool]) -> int:
    """Keep some lines of a finished file, and return how many were removed; a reader sees the old or the new file.

    A torn last line is removed too, but not counted: it can't be read, so nobody knows whose it is.
    """
    lines, torn = split_lines(path)
    kept = [line for line in lines if keep(line)]
    if torn or len(kept) < len(lines):
        write_atomically(path, b"".join(line + b"\n" for line in kept), path.stat().st_mode & 0o777)
    return len(lines) - len(kept)


def remove_decisions(path: Path, decision_ids: set[str | None]) -> int:
    """Remove the lines about these decisions from a finished file, and return how many. Broken lines stay."""
    known = decision_ids - {None}
    return keep_lines(path, lambda line: decision_id_of(line) not in known)


def append_line(path: Path, document: Mapping[str, Any]) -> None:
    """Append a line: a reader sees the old or the new file. A torn last line that an earlier process left is removed.

    A new file is private to this user, like the server's files.
    """
    line = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    lines, _ = split_lines(path)
    mode = path.stat().st_mode & 0o777 if path.exists() else PRIVATE_FILE
    write_atomically(path, b"".join(each + b"\n" for each in [*lines, line]), mode)


def remove_folder(path: Path) -> None:
    """Remove a folder: readers no longer see it after the rename; its files are deleted afterwards."""
    hidden = path.with_name(f".{path.name}.removed")
    path.rename(hidden)
    flush_folder(path.parent)
    shutil.rmtree(hidden)


def _is_written(path: Path) -> bool:
    try:
        with suppress(FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


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


def retain(folder: Path, days: int, seconds: float = WAIT_SECONDS) -> tuple[list[str], int, int]:
    """Remove the days that lie more than `days` before today (UTC), the oldest first.

    Returns the removed days (YYYY-MM-DD), and how many decisions and reviews of them were removed.
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
    return old, decisions, reviews


def _record(folder: Path, event: str, decisions: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"time": now, "by": getpass.getuser(), "event": event, "decisions": decisions}
    append_line(folder / "erasures.jsonl", line)
