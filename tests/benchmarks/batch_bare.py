"""`python -m tests.benchmarks.batch_bare MODEL INPUT OUTPUT`: what a batch costs at least.

One process reads Parquet, scores it and writes the columns that a batch's output has, into one file. It checks no
value, keeps no count, and what it leaves behind when it is ended is half a file.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pyarrow as pa
from pyarrow import parquet as pq

BATCH = 65_536
BANDS, LABELS = ["approve", "refer", "decline"], ["Não Aprovado", "Approved"]
THRESHOLD, LOW, HIGH = 0.5, 0.4, 0.6
TEXTS = ("file", "label", "band", "model_sha256")


def main(model: str, source: str, output: str) -> None:
    """Score one file."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(Path(model).read_bytes(), options, providers=["CPUExecutionProvider"])
    file = pq.ParquetFile(source)
    writer, start = None, 0
    for batch in file.iter_batches(BATCH, use_threads=False):
        X = np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
        p = session.run(["probabilities"], {"X": X})[0][:, 1].astype(np.float64)
        table = _answers(p, start)
        if writer is None:
            packed = {name: "none" if name == "probability" else "zstd" for name in table.column_names}
            writer = pq.ParquetWriter(
                output,
                table.schema,
                compression=packed,
                use_dictionary=list(TEXTS),
                column_encoding={"row": "DELTA_BINARY_PACKED"},
            )
        writer.write_table(table)
        start += len(p)
    writer.close()


def _answers(p: np.ndarray, start: int) -> pa.Table:
    codes = (p >= THRESHOLD).astype(np.int8)
    bands = np.where(p >= HIGH, 0, np.where(p >= LOW, 1, 2)).astype(np.int8)
    same = np.zeros(len(p), dtype=np.int8)
    return pa.table(
        {
            "file": pa.DictionaryArray.from_arrays(same, ["in.parquet"]),
            "row": pa.array(np.arange(start, start + len(p))),
            "probability": pa.array(p),
            "code": pa.array(codes),
            "label": pa.DictionaryArray.from_arrays(codes, LABELS),
            "band": pa.DictionaryArray.from_arrays(bands, BANDS),
            "model_sha256": pa.DictionaryArray.from_arrays(same, ["0" * 64]),
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
