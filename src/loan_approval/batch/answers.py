"""What a batch's output holds, as Arrow: the decisions on good rows, the faults of the others, and both as Parquet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from loan_approval.batch.tables import Rows
from serve.model.scorer import Scorer

BANDS = ("approve", "refer", "decline")
_NAMES = ("file", "label", "band", "model_sha256", "field", "kind", "expected")  # columns of few different texts


@dataclass(frozen=True)
class Labels:
    """The texts that stand in every row of a part: the file it is of, the words of codes 0 and 1, the model."""

    file: str
    of_code: tuple[str, str]
    model_sha256: str


def band_numbers(p: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return (n,) indices into `BANDS` of (n,) probabilities: what `serve.api.decision.name_band` says of each."""
    return np.where(p >= high, 0, np.where(p >= low, 1, 2)).astype(np.int8)


def decide(rows: Rows, scorer: Scorer, labels: Labels, keep: Sequence[str]) -> pa.Table:
    """Return the decision on each row that keeps the contract, in order."""
    good = rows.good()
    at = np.arange(len(rows.X)) if good is None else np.flatnonzero(good)
    p = scorer.score(rows.X if good is None else rows.X[at])
    codes = scorer.decide(p).astype(np.int8)
    kept = rows.kept if good is None else [column.take(pa.array(at)) for column in rows.kept]
    columns = {
        "file": _same(labels.file, len(p)),
        "row": pa.array(rows.start + at),
        **dict(zip(keep, kept, strict=True)),
        "probability": pa.array(p),
        "code": pa.array(codes),
        "label": _names(codes, labels.of_code),
        "band": _names(band_numbers(p, *scorer.review_band), BANDS),
        "model_sha256": _same(labels.model_sha256, len(p)),
    }
    return pa.table(columns)


def reject(rows: Rows, labels: Labels, keep: Sequence[str]) -> pa.Table:
    """Return a line for each fault, by row: which field, what kind of fault and what was expected, never the value."""
    at = np.concatenate([np.fromiter(found, np.int64, len(found)) for found in rows.faults.values()])
    order = np.argsort(at, kind="stable")  # by row, and a row's faults in the contract's order
    at = at[order]
    faults = [fault for found in rows.faults.values() for fault in found.values()]
    names = [name for name, found in rows.faults.items() for _ in found]
    texts = {"field": names, "kind": [fault.kind for fault in faults], "expected": [fault.expected for fault in faults]}
    columns = {
        "file": _same(labels.file, len(at)),
        "row": pa.array(rows.start + at),
        **{name: column.take(pa.array(at)) for name, column in zip(keep, rows.kept, strict=True)},
        **{name: pa.array(each, pa.string()).dictionary_encode().take(pa.array(order)) for name, each in texts.items()},
    }
    return pa.table(columns)


def to_parquet(tables: Sequence[pa.Table], metadata: Mapping[str, str]) -> pa.Buffer:
    """Return the tables one below the other, as a Parquet file with this metadata."""
    table = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata(dict(metadata))
    texts = [name for name in _NAMES if name in table.column_names]
    packed = dict.fromkeys(table.column_names, "zstd")
    if "probability" in packed:
        packed["probability"] = "none"  # almost no two are the same: packing them takes time and saves nothing
    sink = pa.BufferOutputStream()
    encodings = {"row": "DELTA_BINARY_PACKED"}
    pq.write_table(
        table, sink, compression=packed, use_dictionary=texts, column_encoding=encodings, write_page_checksum=True
    )
    return sink.getvalue()


def _same(text: str, n: int) -> pa.DictionaryArray:
    return _names(np.zeros(n, dtype=np.int8), [text])


def _names(numbers: np.ndarray, texts: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(texts, pa.string()))
