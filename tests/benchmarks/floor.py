"""The floor of a batch: bytes to array, onnxruntime, codes to bytes, in a process of its own and without a server.

`python -m tests.benchmarks.floor MODEL THRESHOLD SECONDS NAME=FILE...` prints rows a second of each body as JSON.
"""

import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from serve.scorer import CHUNK, open_session


def _from_records(body: bytes) -> np.ndarray:
    return np.array([list(row.values()) for row in msgspec.json.decode(body)], dtype=np.float64)


def _from_columns(body: bytes) -> np.ndarray:
    return np.array(list(msgspec.json.decode(body).values()), dtype=np.float64).T.copy()


def _from_csv(body: bytes) -> np.ndarray:
    return np.loadtxt(io.BytesIO(body), delimiter=",", skiprows=1)


READERS: dict[str, Callable[[bytes], np.ndarray]] = {
    "JSON records": _from_records,
    "JSON columns": _from_columns,
    "CSV": _from_csv,
}


def rows_per_second(read: Callable[[bytes], np.ndarray], body: bytes, score: Callable, seconds: float) -> float:
    """Return the median over as many batches as fit into `seconds`, three at least."""
    times: list[float] = []
    rows = len(read(body))
    while len(times) < 3 or sum(times) < seconds:
        began = time.perf_counter()
        score(read(body))
        times.append(time.perf_counter() - began)
    return rows / statistics.median(times)


def main() -> None:
    """Measure and print."""
    model, threshold, seconds, *bodies = sys.argv[1:]
    session, cut = open_session(Path(model).read_bytes()), float(threshold)

    def score(X: np.ndarray) -> bytes:
        parts = [session.run(["probabilities"], {"X": X[i : i + CHUNK]})[0][:, 1] for i in range(0, len(X), CHUNK)]
        return msgspec.json.encode({"prediction_code": (np.concatenate(parts) >= cut).astype(int).tolist()})

    measured = {}
    for name, _, path in (body.partition("=") for body in bodies):
        measured[name] = rows_per_second(READERS[name], Path(path).read_bytes(), score, float(seconds))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
