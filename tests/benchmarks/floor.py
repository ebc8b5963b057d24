"""The floor of a batch: bytes to array, onnxruntime, codes to bytes, in a process of its own and without a server.

`python -m tests.benchmarks.floor MODEL THRESHOLD SECONDS NAME=FILE...` prints JSON: of each body,
rows a second and CPU us a row.
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

from serve.model.scorer import CHUNK, open_session


def _from_records(body: bytes) -> np.ndarray:
    return np.array([list(row.values()) for row in msgspec.json.decode(body)], dtype=np.float64)


def _from_columns(body: bytes) -> np.ndarray:
    return np.array(list(msgspec.json.decode(body).values()), dtype=np.float64).T.copy()


def _from_csv(body: bytes) -> np.ndarray:
    return np.loadtxt(io.BytesIO(body), delimiter=",", skiprows=1)


def _to_records(codes: list[int]) -> bytes:
    return msgspec.json.encode([ANSWERS[code] for code in codes])


def _to_columns(codes: list[int]) -> bytes:
    return msgspec.json.encode({"prediction": [LABELS[code] for code in codes], "prediction_code": codes})


def _to_csv(codes: list[int]) -> bytes:
    return b"prediction,prediction_code\n" + b"".join([LINES[code] for code in codes])


LABELS = ("Não Aprovado", "Approved")
ANSWERS = tuple({"prediction": label, "prediction_code": code} for code, label in enumerate(LABELS))
LINES = tuple(f"{label},{code}\n".encode() for code, label in enumerate(LABELS))
FORMS: dict[str, tuple[Callable[[bytes], np.ndarray], Callable[[list[int]], bytes]]] = {
    "JSON records": (_from_records, _to_records),
    "JSON columns": (_from_columns, _to_columns),
    "CSV": (_from_csv, _to_csv),
}


def time_batches(answer: Callable[[], bytes], rows: int, seconds: float) -> tuple[float, float]:
    """Return rows a second (the median batch's) and CPU us a row, of what fits into `seconds`, three at least."""
    times: list[float] = []
    before = time.process_time()
    while len(times) < 3 or sum(times) < seconds:
        began = time.perf_counter()
        answer()
        times.append(time.perf_counter() - began)
    return rows / statistics.median(times), (time.process_time() - before) / len(times) / rows * 1e6


def main() -> None:
    """Measure and print."""
    model, threshold, seconds, *bodies = sys.argv[1:]
    session, cut = open_session(Path(model).read_bytes()), float(threshold)

    def decide(X: np.ndarray) -> list[int]:
        parts = [session.run(["probabilities"], {"X": X[i : i + CHUNK]})[0][:, 1] for i in range(0, len(X), CHUNK)]
        return (np.concatenate(parts) >= cut).astype(int).tolist()

    measured = {}
    for name, _, path in (body.partition("=") for body in bodies):
        read, write = FORMS[name]
        body = Path(path).read_bytes()
        rows = len(read(body))
        measured[name] = time_batches(lambda: write(decide(read(body))), rows, float(seconds))  # noqa: B023
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
