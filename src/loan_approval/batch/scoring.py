"""Batch scoring: every application of a file or a folder decided with one model, in parts that are whole or absent.

The output's `_job.json` is written first and says what the parts follow from; a run that would write others is refused.
An interrupted run resumes: a part is named by what it follows from, so that an existing part is done.
`_summary.json` is written last: where it is, the batch is whole.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loan_approval.batch.clean_copies import clean_copies
from loan_approval.batch.columns import check_keep
from loan_approval.batch.files import S3, InputFile, absolute, list_inputs, list_names, read_whole, write_whole
from loan_approval.batch.part import DECISIONS, REJECTED, Counts, Task, read_counts, score_shard
from loan_approval.batch.shards import Shard, plan_shards
from loan_approval.batch.workers import run_on_workers
from loan_approval.errors import BatchError
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer

FORMAT = 1  # of the output
JOB, SUMMARY, LOCK = "_job.json", "_summary.json", ".lock"
REPORT_SECONDS = 10  # between two reports of the progress


@dataclass(frozen=True)
class Batch:
    """What to score and how. workers: threads, at most `MOST_WORKERS`, so that memory stays bounded.

    reasons: whether each decision gets the codes of its principal reasons, which takes hundreds of times as long.
    """

    input: str
    output: str
    keep: tuple[str, ...] = ()
    ignore_unknown: bool = False
    engine: str = "local"
    workers: int = 1
    reasons: bool = False


def score_batch(batch: Batch, data: bytes, report: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Score a batch with a model file and return its summary. Raises BatchError, DataError, ModelFileError."""
    scorer = Scorer(data)
    source, output = absolute(batch.input), absolute(batch.output)
    if output == source or output.startswith(f"{source}/"):
        raise BatchError(f"{output}: lies in the input, expected a folder of its own")
    check_keep(batch.keep, scorer.contract)
    files = list_inputs(source)
    job = _describe(batch, source, files, scorer)
    with clean_copies(files, scorer.contract, batch.keep, report) as readable:
        shards = plan_shards(readable, scorer.contract, batch.keep, batch.ignore_unknown)
        with _open_output(output, job) as names:
            finished = json.loads(read_whole(f"{output}/{SUMMARY}") or "null")
            if finished and {part["name"] for part in finished["parts"]} == names:
                report(f"{output}: was finished already")
                return finished
            done = [shard for shard in shards if shard.part(job["id"]) in names]
            left = [shard for shard in shards if shard.part(job["id"]) not in names]
            rows = sum(shard.rows for shard in shards)
            report(f"rows: {rows:,}, files: {len(files):,}, parts: {len(shards):,}, done before: {len(done):,}")
            counts = sum((read_counts(output, shard.part(job["id"])) for shard in done), Counts())
            began = reported = time.monotonic()
            task = Task(output, job["id"], batch.keep, batch.reasons)
            for number, part_counts in enumerate(_run(batch, data, scorer, task, left), 1):
                counts += part_counts
                if time.monotonic() - reported > REPORT_SECONDS:
                    reported = time.monotonic()
                    report(f"{number:,} of {len(left):,} parts done after {reported - began:.0f} s")
            return _finish(output, job, scorer, shards, counts)


def _run(batch: Batch, data: bytes, scorer: Scorer, task: Task, shards: Sequence[Shard]) -> Iterator[Counts]:
    if batch.engine == "dask":
        from loan_approval.batch.dask_engine import run_on_dask

        return run_on_dask(data, task, shards, batch.workers)
    explainer = Explainer(scorer) if batch.reasons else None
    return run_on_workers(lambda shard: score_shard(shard, task, scorer, explainer), shards, batch.workers)


def _describe(batch: Batch, source: str, files: Sequence[InputFile], scorer: Scorer) -> dict[str, Any]:
    """Return what the output follows from, and `id`, the hash of it."""
    job = {
        "format": FORMAT,
        "input": source,
        "files": [{"name": file.name, "size": file.size, "version": file.version} for file in files],
        "model_sha256": scorer.sha256,
        "contract": scorer.contract.fingerprint,
        "keep": list(batch.keep),
        "ignore_unknown": batch.ignore_unknown,
    }
    if batch.reasons:  # not false otherwise, so that a batch begun before there were reasons can go on
        job["reasons"] = True
    return job | {"id": hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()}


@contextmanager
def _open_output(output: str, job: Mapping[str, Any]) -> Iterator[set[str]]:
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
        differing = [key for key in before | job if key != "id" and before.get(key) != job.get(key)]
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


def _finish(
    output: str, job: dict[str, Any], scorer: Scorer, shards: Sequence[Shard], counts: Counts
) -> dict[str, Any]:
    """Write and return the summary. Raises BatchError when the parts that are there are not those of the batch."""
    parts = {shard.part(job["id"]): shard.rows for shard in shards}
    there = _part_names(output)
    if there != parts.keys():
        missing, foreign = sorted(parts.keys() - there), sorted(there - parts.keys())
        raise BatchError(f"{output}/{DECISIONS}: missing {missing[:3]}, not of this batch {foreign[:3]}")
    summary = {
        **job,
        "model_name": scorer.contract.model_name,
        "threshold": scorer.threshold,
        "review_band": list(scorer.review_band),
        **asdict(counts),
        "parts": [{"name": name, "rows": rows} for name, rows in parts.items()],
    }
    write_whole(f"{output}/{SUMMARY}", _dump(summary))
    return summary


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
