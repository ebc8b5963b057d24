"""One shard scored and committed: the decisions on its good rows, and the faults of the others, as Parquet.

`decisions/<part>` is written last and at once: a shard whose part is there is done, and its counts are in that file.
`rejected/<part>` is only there when rows were rejected: a line for each fault, with its kind and never a value.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from loan_approval.batch.files import look_up, open_file, write_whole
from loan_approval.batch.shards import Shard
from loan_approval.batch.tables import Rows, read_rows
from loan_approval.errors import BatchError, DataError
from serve.model.reasons import reason_codes
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer

DECISIONS, REJECTED = "decisions", "rejected"
COUNTS = "counts"  # the key of a part's metadata
BANDS = ("approve", "refer", "decline")
_FEW_TEXTS = ("file", "label", "band", "model_sha256", "field", "kind", "expected")  # columns of few different texts


@dataclass(frozen=True)
class Task:
    """What is the same for all shards of a batch. job: its identity.   reasons: whether rows get their reasons."""

    output: str
    job: str
    keep: tuple[str, ...] = ()
    reasons: bool = False


@dataclass(frozen=True)
class Counts:
    """How many rows were decided and rejected; faults by "field: kind"."""

    rows: int = 0
    approved: int = 0
    denied: int = 0
    rejected: int = 0
    bands: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return Counts(*(a + b if isinstance(a, int) else dict(Counter(a) + Counter(b)) for a, b in pairs))


def score_shard(shard: Shard, task: Task, scorer: Scorer, explainer: Explainer | None = None) -> Counts:
    """Score a shard and commit its part of the output; explainer: the scorer's, where reasons are wanted.

    Raises DataError, BatchError.
    """
    decisions, rejections, faults = [], [], Counter()
    for rows in read_rows(shard, scorer.contract, task.keep):
        decisions.append(decide(rows, shard.file.name, scorer, task.keep, explainer))
        if rows.faults:
            rejections.append(reject(rows, shard.file.name, task.keep))
            faults.update(f"{name}: {fault.kind}" for name, by_row in rows.faults.items() for fault in by_row.values())
    # A file that changed while it was read may have been read as half of each.
    if look_up(shard.file.address, shard.file.name) != replace(shard.file, copy=""):
        raise DataError(f"{shard.file.address}: changed while it was being scored")
    codes = np.concatenate([table["code"] for table in decisions])
    bands = np.concatenate([table["band"].chunk(0).indices for table in decisions])
    by_band = dict(zip(BANDS, np.bincount(bands, minlength=len(BANDS)).tolist(), strict=True))
    approved = int(np.count_nonzero(codes))
    rejected = shard.rows - len(codes)
    counts = Counts(shard.rows, approved, len(codes) - approved, rejected, by_band, dict(faults))
    part = shard.part(task.job)
    if rejections:
        write_whole(f"{task.output}/{REJECTED}/{part}", to_parquet(rejections, {}))
    metadata = {COUNTS: json.dumps(asdict(counts), ensure_ascii=False), "contract": scorer.contract.fingerprint}
    write_whole(f"{task.output}/{DECISIONS}/{part}", to_parquet(decisions, metadata))
    return counts


def decide(rows: Rows, file: str, scorer: Scorer, keep: Sequence[str], explainer: Explainer | None = None) -> pa.Table:
    """Return the decision on each row that keeps the contract, in order."""
    at = rows.good()
    X = rows.X[at] if rows.faults else rows.X
    p = scorer.score(X)
    codes = scorer.decide(p).astype(np.int8)
    kept = [column.take(pa.array(at)) for column in rows.kept] if rows.faults else rows.kept
    columns = {
        "file": _repeat(file, len(p)),
        "row": pa.array(rows.start + at),
        **dict(zip(keep, kept, strict=True)),
        "probability": pa.array(p),
        "code": pa.array(codes),
        "label": _texts(codes, [scorer.contract.label(0), scorer.contract.label(1)]),
        "band": _texts(band_numbers(p, *scorer.review_band), BANDS),
        "model_sha256": _repeat(scorer.sha256, len(p)),
    }
    if explainer:
        columns["reasons"] = pa.array(reason_codes(scorer, explainer, X), pa.list_(pa.string()))
    return pa.table(columns)


def band_numbers(p: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return (n,) indices into `BANDS` of (n,) probabilities, as `serve.model.scorer.name_band` names each."""
    return np.where(p >= high, 0, np.where(p >= low, 1, 2)).astype(np.int8)


def reject(rows: Rows, file: str, keep: Sequence[str]) -> pa.Table:
    """Return a line for each fault, by row: which field, what kind of fault and what was expected, never the value."""
    faults = [(row, name, fault) for name, by_row in rows.faults.items() for row, fault in by_row.items()]
    faults.sort(key=lambda each: each[0])  # stable: a row's faults stay in the contract's order
    at = np.array([row for row, _, _ in faults])
    texts = {
        "field": [name for _, name, _ in faults],
        "kind": [fault.kind for _, _, fault in faults],
        "expected": [fault.expected for _, _, fault in faults],
    }
    columns = {
        "file": _repeat(file, len(at)),
        "row": pa.array(rows.start + at),
        **{name: column.take(pa.array(at)) for name, column in zip(keep, rows.kept, strict=True)},
        **{name: pa.array(column, pa.string()).dictionary_encode() for name, column in texts.items()},
    }
    return pa.table(columns)


def _repeat(text: str, n: int) -> pa.DictionaryArray:
    return _texts(np.zeros(n, dtype=np.int8), [text])


def _texts(numbers: np.ndarray, texts: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(texts, pa.string()))


def to_parquet(tables: Sequence[pa.Table], metadata: Mapping[str, str]) -> pa.Buffer:
    """Return the tables one below the other, as a Parquet file with this metadata."""
    table = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata(dict(metadata))
    # Almost no two probabilities are the same: compressing them takes time and saves nothing.
    compression = {name: "none" if name == "probability" else "zstd" for name in table.column_names}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression=compression,
        use_dictionary=[name for name in _FEW_TEXTS if name in compression],
        column_encoding={"row": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    return sink.getvalue()


def read_counts(output: str, part: str) -> Counts:
    """Return the counts of a part that is there. Raises BatchError."""
    address = f"{output}/{DECISIONS}/{part}"
    try:
        with open_file(address) as file:
            return Counts(**json.loads(pq.read_schema(file).metadata[COUNTS.encode()]))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as err:
        raise BatchError(f"{address}: not a part of a batch; remove it, and its rows are scored again") from err
