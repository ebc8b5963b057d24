"""The folder a batch writes to: which batch it belongs to, which parts are there, and the summary of a whole batch.

`_job.json` is written first and says what the parts follow from; a run that would write others is refused.
`_summary.json` is written last: where it is, the batch is whole.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loan_approval.batch.files import S3, list_names, read_whole, write_whole
from loan_approval.batch.part import DECISIONS, REJECTED
from loan_approval.errors import BatchError

JOB, SUMMARY, LOCK = "_job.json", "_summary.json", ".lock"


@contextmanager
def open_output(output: str, job: Mapping[str, Any]) -> Iterator[set[str]]:
    """Make the output this job's and yield the names of the parts that are there. Raises BatchError.

    On a local disk no other run can open it meanwhile.
    """
    with _locked(output):
        names = list_names(output) - {LOCK}
        recorded = read_whole(f"{output}/{JOB}")
        if recorded is not None:
            _check_same(output, recorded, job)
        elif names:
            raise BatchError(f"{output}: is not empty, expected a new folder or one that this very batch was begun in")
        else:
            write_whole(f"{output}/{JOB}", _dump(job))
        yield _part_names(output)


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
            for half_written in (Path(output) / folder).glob(".part-*"):  # by a run that was killed
                half_written.unlink(missing_ok=True)
        yield


def _check_same(output: str, recorded: bytes, job: Mapping[str, Any]) -> None:
    try:
        before = json.loads(recorded)
        differing = [key for key in job if key != "id" and before[key] != job[key]]
        same = before["id"] == job["id"]
    except (ValueError, KeyError, TypeError) as err:
        raise BatchError(f"{output}/{JOB}: not a batch's description") from err
    if not same:
        raise BatchError(
            f"{output}: holds another batch, which differs in {', '.join(differing)}; expected a new folder, or the"
            " same input, model and options"
        )


def _part_names(output: str) -> set[str]:
    return {name for name in list_names(f"{output}/{DECISIONS}") if not name.startswith(".")}


def read_summary(output: str) -> dict[str, Any] | None:
    """Return the summary of a finished batch, None of another."""
    data = read_whole(f"{output}/{SUMMARY}")
    return None if data is None else json.loads(data)


def write_summary(output: str, summary: Mapping[str, Any]) -> None:
    """Write the summary of a whole batch. Raises BatchError when the parts in it are not those that are there."""
    expected, there = {part["name"] for part in summary["parts"]}, _part_names(output)
    if there != expected:
        missing, foreign = sorted(expected - there), sorted(there - expected)
        raise BatchError(f"{output}/{DECISIONS}: missing {missing[:3]}, not of this batch {foreign[:3]}")
    write_whole(f"{output}/{SUMMARY}", _dump(summary))


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
