"""The folder a batch writes to: whose it is, which parts are there, and the summary that says all of them are.

`_job.json` comes first and says what the parts follow from; a run that would write others is refused. `_summary.json`
comes last: who finds it has the whole batch.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from loan_approval.batch.files import S3, join, list_names, read_whole, write_whole
from loan_approval.batch.part import DECISIONS, REJECTED
from loan_approval.errors import BatchError

JOB, SUMMARY, LOCK = "_job.json", "_summary.json", ".lock"


@contextmanager
def opened(output: str, job: Mapping[str, Any]) -> Iterator[set[str]]:
    """Make the output this job's and yield the names of the parts that are there. Raises BatchError.

    On a local disk nobody else can open it meanwhile.
    """
    with _locked(output):
        names = list_names(output) - {LOCK}
        known = read_whole(join(output, JOB))
        if known is not None:
            _check_same(output, known, job)
        elif names:
            raise BatchError(f"{output}: is not empty, expected a new folder or one that this very batch was begun in")
        else:
            write_whole(join(output, JOB), dump(job))
        yield {name for name in list_names(join(output, DECISIONS)) if not name.startswith(".")}


@contextmanager
def _locked(output: str) -> Iterator[None]:
    if output.startswith(S3):
        yield
        return
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
        lock = (Path(output) / LOCK).open("ab")
    except OSError as err:
        raise BatchError(f"{output}: can't be written to: {err.strerror}") from err
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise BatchError(f"{output}: another run is writing to it") from err
        for folder in (DECISIONS, REJECTED):
            for left in (Path(output) / folder).glob(".part-*"):  # half written by a run that was killed
                with suppress(FileNotFoundError):
                    left.unlink()
        yield


def _check_same(output: str, known: bytes, job: Mapping[str, Any]) -> None:
    try:
        before = json.loads(known)
        differing = [key for key in job if key != "id" and before[key] != job[key]]
        same = before["id"] == job["id"]
    except (ValueError, KeyError, TypeError) as err:
        raise BatchError(f"{join(output, JOB)}: not a batch's description") from err
    if not same:
        raise BatchError(
            f"{output}: holds another batch, which differs in {', '.join(differing)}; expected a new folder, or the"
            " same input, model and options"
        )


def read_summary(output: str) -> dict[str, Any] | None:
    """Return the summary of a finished batch, None of another."""
    data = read_whole(join(output, SUMMARY))
    return None if data is None else json.loads(data)


def write_summary(output: str, summary: Mapping[str, Any], parts: Sequence[str]) -> None:
    """Say that the batch is whole. Raises BatchError when its parts are not those that are there."""
    there = {name for name in list_names(join(output, DECISIONS)) if not name.startswith(".")}
    if there != set(parts):
        missing, foreign = sorted(set(parts) - there), sorted(there - set(parts))
        raise BatchError(f"{join(output, DECISIONS)}: missing {missing[:3]}, not of this batch {foreign[:3]}")
    write_whole(join(output, SUMMARY), dump(summary))


def dump(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON for people and programs."""
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
