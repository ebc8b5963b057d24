"""One shard scored and committed: the decisions on its good rows, and what is wrong with the others.

`decisions/<part>` is written last and at once: a shard whose part is there is done, and its counts are in that file.
`rejected/<part>` is only there when rows were rejected: a line for each fault, with its kind and never a value.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from loan_approval.batch.answers import BANDS, Labels, decide, reject, to_parquet
from loan_approval.batch.files import join, look_up, open_file, write_whole
from loan_approval.batch.shards import Shard
from loan_approval.batch.tables import read_rows
from loan_approval.errors import BatchError, DataError
from serve.model.scorer import Scorer

DECISIONS, REJECTED = "decisions", "rejected"
COUNTS = "counts"  # the key of a part's metadata


@dataclass(frozen=True)
class Task:
    """What is the same for all shards of a batch. job: its identity."""

    output: str
    job: str
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """How many rows, and what became of them; faults by "field: kind"."""

    rows: int = 0
    approved: int = 0
    denied: int = 0
    rejected: int = 0
    bands: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        merged = {name: value + getattr(other, name) for name, value in asdict(self).items() if isinstance(value, int)}
        for name in ("bands", "faults"):
            merged[name] = dict(Counter(getattr(self, name)) + Counter(getattr(other, name)))
        return Counts(**merged)


def score_shard(shard: Shard, task: Task, scorer: Scorer) -> Counts:
    """Score a shard and commit its part of the output. Raises DataError, BatchError."""
    labels = Labels(shard.file.name, (scorer.contract.label(0), scorer.contract.label(1)), scorer.sha256)
    decisions, rejections, faults = [], [], Counter()
    for rows in read_rows(shard, scorer.contract, task.keep):
        decisions.append(decide(rows, scorer, labels, task.keep))
        if rows.faults:
            rejections.append(reject(rows, labels, task.keep))
            faults.update(f"{name}: {fault.kind}" for name, found in rows.faults.items() for fault in found.values())
    # A file that changed while it was read may have been read as half of each.
    if look_up(shard.file.address, shard.file.name) != shard.file:
        raise DataError(f"{shard.file.address}: changed while it was being scored")
    counts = _count(decisions, shard.rows, faults)
    part = shard.part(task.job)
    if rejections:
        write_whole(join(task.output, f"{REJECTED}/{part}"), to_parquet(rejections, {}))
    metadata = {COUNTS: json.dumps(asdict(counts), ensure_ascii=False), "contract": scorer.contract.fingerprint}
    write_whole(join(task.output, f"{DECISIONS}/{part}"), to_parquet(decisions, metadata))
    return counts


def _count(decisions: Sequence[pa.Table], rows: int, faults: Mapping[str, int]) -> Counts:
    bands, approved = Counter(), 0
    for table in decisions:
        approved += int(np.count_nonzero(table["code"]))
        for chunk in table["band"].chunks:
            numbers = np.bincount(chunk.indices.to_numpy(), minlength=len(BANDS))
            bands.update(dict(zip(BANDS, numbers.tolist(), strict=True)))
    decided = sum(table.num_rows for table in decisions)
    return Counts(rows, approved, decided - approved, rows - decided, dict(bands), dict(faults))


def read_counts(output: str, part: str) -> Counts:
    """Return the counts of a part that is there. Raises BatchError."""
    address = join(output, f"{DECISIONS}/{part}")
    try:
        with open_file(address) as file:
            return Counts(**json.loads(pq.read_schema(file).metadata[COUNTS.encode()]))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as err:
        raise BatchError(f"{address}: not a part of a batch; remove it, and its rows are scored again") from err
