"""Batch scoring: every application of a file or a folder decided with one model, in parts that are whole or absent.

An interrupted run resumes: a part is named by what it follows from, so that an existing part is done.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loan_approval.batch.columns import check_keep
from loan_approval.batch.files import InputFile, absolute, list_inputs
from loan_approval.batch.output import open_output, read_summary, write_summary
from loan_approval.batch.part import Counts, Task, read_counts, score_shard
from loan_approval.batch.shards import Shard, plan_shards
from loan_approval.batch.workers import count_workers, run_on_workers
from loan_approval.errors import BatchError
from serve.model.scorer import Scorer

FORMAT = 1  # of the output
REPORT_SECONDS = 10  # between two reports of the progress
Report = Callable[[str], None]


@dataclass(frozen=True)
class Batch:
    """What to score and how. workers: threads, as `count_workers` says where it is None."""

    input: str
    output: str
    keep: tuple[str, ...] = ()
    ignore_unknown: bool = False
    engine: str = "local"
    workers: int | None = None


def score_batch(batch: Batch, data: bytes, report: Report = lambda text: None) -> dict[str, Any]:
    """Score a batch with a model file and return its summary. Raises BatchError, DataError, ModelFileError."""
    workers, scorer = count_workers(batch.workers), Scorer(data)
    source, output = absolute(batch.input), absolute(batch.output)
    if output == source or output.startswith(f"{source}/"):
        raise BatchError(f"{output}: lies in the input, expected a folder of its own")
    check_keep(batch.keep, scorer.contract)
    files = list_inputs(source)
    job = _describe(batch, source, files, scorer)
    shards = plan_shards(files, scorer.contract, batch.keep, batch.ignore_unknown)
    task = Task(output, job["id"], batch.keep)
    with open_output(output, job) as names:
        summary = read_summary(output)
        if summary and {part["name"] for part in summary["parts"]} == names:
            report(f"{output}: was finished already")
            return summary
        done = [shard for shard in shards if shard.part(task.job) in names]
        left = [shard for shard in shards if shard.part(task.job) not in names]
        rows = sum(shard.rows for shard in shards)
        report(f"rows: {rows:,}, files: {len(files):,}, parts: {len(shards):,}, done before: {len(done):,}")
        counts = sum((read_counts(output, shard.part(task.job)) for shard in done), Counts())
        if batch.engine == "dask":
            from loan_approval.batch.dask_engine import run_on_dask

            results = run_on_dask(data, task, left, workers)
        else:
            results = run_on_workers(lambda shard: score_shard(shard, task, scorer), left, workers)
        began = reported = time.monotonic()
        for number, part_counts in enumerate(results, 1):
            counts += part_counts
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                report(f"{number:,} of {len(left):,} parts done after {reported - began:.0f} s")
        summary = _summarise(job, scorer, shards, task, counts)
        write_summary(output, summary)
    return summary


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
    return job | {"id": hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()}


def _summarise(
    job: dict[str, Any], scorer: Scorer, shards: Sequence[Shard], task: Task, counts: Counts
) -> dict[str, Any]:
    rows = sum(shard.rows for shard in shards)
    if counts.rows != rows or counts.approved + counts.denied + counts.rejected != rows:
        raise BatchError(f"{task.output}: {counts.rows:,} rows were counted, expected {rows:,}")
    return {
        **job,
        "model_name": scorer.contract.model_name,
        "threshold": scorer.threshold,
        "review_band": list(scorer.review_band),
        **asdict(counts),
        "parts": [{"name": shard.part(task.job), "rows": shard.rows} for shard in shards],
    }
