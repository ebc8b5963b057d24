"""What is sent to a server and how its answer reads: one `Wire` for each form of question."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.model import Row


@dataclass(frozen=True)
class Wire:
    """`encode` makes a body of n rows; `decode` reads n codes from an answer, given the threshold."""

    name: str
    path: str
    encode: Callable[[Sequence[Row]], bytes]
    decode: Callable[[bytes, float], list[int]]
    content_type: str = "application/json"


def dump(document: Any) -> bytes:
    """Return compact JSON, as client libraries send it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _one(rows: Sequence[Row]) -> bytes:
    (row,) = rows
    return dump(row)


def _one_code(body: bytes, _: float) -> list[int]:
    return [json.loads(body)["prediction_code"]]


def _records(rows: Sequence[Row]) -> bytes:
    return dump(list(rows))


def columns_of(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Return rows turned on their side."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _columns(rows: Sequence[Row]) -> bytes:
    return dump(columns_of(rows))


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue().encode()


def _records_codes(body: bytes, _: float) -> list[int]:
    return [answer["prediction_code"] for answer in json.loads(body)]


def _columns_codes(body: bytes, _: float) -> list[int]:
    return json.loads(body)["prediction_code"]


def _csv_codes(body: bytes, _: float) -> list[int]:
    return [int(answer["prediction_code"]) for answer in csv.DictReader(io.StringIO(body.decode()))]


def _split(rows: Sequence[Row]) -> bytes:
    return dump({"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}})


def _mlflow_records(rows: Sequence[Row]) -> bytes:
    return dump({"dataframe_records": list(rows)})


def _mlflow_codes(body: bytes, threshold: float) -> list[int]:
    return [int(p >= threshold) for _, p in json.loads(body)["predictions"]]


def _tensor(rows: Sequence[Row]) -> bytes:
    values = [value for row in rows for value in row.values()]
    tensor = {"name": "X", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": values}
    return dump({"inputs": [tensor], "outputs": [{"name": "predict_proba"}]})


def _tensor_codes(body: bytes, threshold: float) -> list[int]:
    (output,) = json.loads(body)["outputs"]
    return [int(p >= threshold) for p in output["data"][1::2]]


APPLICATION = Wire("one application", "/api/v2/predict", _one, _one_code)
DECISION = Wire("one application with reasons", "/api/v2/decision", _one, _one_code)
RECORDS = Wire("JSON records", "/api/v2/predict/batch", _records, _records_codes)
REASONED_RECORDS = Wire("JSON records with reasons", "/api/v2/predict/batch?reasons=true", _records, _records_codes)
COLUMNS = Wire("JSON columns", "/api/v2/predict/batch", _columns, _columns_codes)
CSV = Wire("CSV", "/api/v2/predict/batch", _csv, _csv_codes, "text/csv")
SPLIT = Wire("dataframe_split", "/invocations", _split, _mlflow_codes)
MLFLOW_RECORDS = Wire("dataframe_records", "/invocations", _mlflow_records, _mlflow_codes)
TENSOR = Wire("v2 tensor", "/v2/models/loans/infer", _tensor, _tensor_codes)
