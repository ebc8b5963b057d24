"""Batch scoring: every application of a file or a folder decided with one model, in parts that are whole or not there.

A run that was ended goes on where it was: parts are named by what they follow from, so that what is there is done.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from loan_approval.batch.columns import check_keep
from loan_approval.batch.files import InputFile, absolute, list_inputs
from loan_approval.batch.output import opened, read_summary, write_summary
from loan_approval.batch.part import Counts, Task, read_counts, score_shard
from loan_approval.batch.shards import Shard, plan_shards
from loan_approval.batch.workers import count_workers, run_on_workers
from loan_approval.errors import BatchError
from serve.model.scorer import Scorer

FORMAT = 1  # of the output
ENGINES = ("local", "dask")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Batch:
    """What to score and how. workers: threads, as `count_workers` says where it is None."""

    input: str
    output: str
    keep: tuple[str, ...] = ()
    ignore_unknown: bool = False
    engine: str = "local"
    workers: int | None = None


def score_batch(batch: Batch, data: bytes, tell: Tell = lambda text: None) -> dict[str, Any]:
    """Score a batch with a model file and return its summary. Raises BatchError, DataError, ModelFileError."""
    batch = replace(batch, workers=count_workers(batch.workers))
    scorer = Scorer(data)
    source, output = absolute(batch.input), absolute(batch.output)
    if output == source or output.startswith(f"{source}/"):
        raise BatchError(f"{output}: lies in the input, expected a folder of its own")
    check_keep(batch.keep, scorer.contract)
    files = list_inputs(source)
    job = _describe(batch, source, files, scorer)
    shards = plan_shards(files, scorer.contract, batch.keep, batch.ignore_unknown)
    task = Task(output, job["id"], batch.keep)
    with opened(output, job) as there:
        summary = read_summary(output)
        if summary and {part["name"] for part in summary["parts"]} == there:
            tell(f"{output}: was finished already")
            return summary
        done = [shard for shard in shards if shard.part(task.job) in there]
        left = [shard for shard in shards if shard.part(task.job) not in there]
        rows = sum(shard.rows for shard in shards)
        tell(f"rows: {rows:,}, files: {len(files):,}, parts: {len(shards):,}, done before: {len(done):,}")
        counts = sum((read_counts(output, shard.part(task.job)) for shard in done), Counts())
        counts = _run(batch, data, scorer, task, left, counts, tell)
        summary = _summarise(job, scorer, files, shards, task, counts)
        write_summary(output, summary, [part["name"] for part in summary["parts"]])
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


def _run(
    batch: Batch, data: bytes, scorer: Scorer, task: Task, shards: Sequence[Shard], counts: Counts, tell: Tell
) -> Counts:
    began = told = time.monotonic()
    for number, (_, found) in enumerate(_results(batch, data, scorer, task, shards), 1):
        counts += found
        if time.monotonic() - told > 10:
            told = time.monotonic()
            tell(f"{number:,} of {len(shards):,} parts done after {told - began:.0f} s")
    return counts


def _results(
    batch: Batch, data: bytes, scorer: Scorer, task: Task, shards: Sequence[Shard]
) -> Iterator[tuple[Shard, Counts]]:
    if batch.engine == "dask":
        from loan_approval.batch.dask_engine import run_on_dask

        return run_on_dask(data, task, shards, batch.workers)
    return run_on_workers(lambda shard: score_shard(shard, task, scorer), shards, batch.workers)


def _summarise(
    job: dict[str, Any], scorer: Scorer, files: Sequence[InputFile], shards: Sequence[Shard], task: Task, counts: Counts
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
