"""MLflow's scoring protocol: `/ping`, `/health`, `/version`, `/invocations`.

Source: MLflow 3.17.2, mlflow/pyfunc/scoring_server/__init__.py and mlflow/utils/proto_json_utils.py. Input formats and
statuses are those of MLflow for a model with named columns. Where MLflow guesses or drops data silently, this refuses:
- 422 in the service's own shape for whatever breaks the contract; for an unknown column too, which MLflow drops.
- 400 for keys beside the input format and `params`, for rows shorter than the columns, and for rows without names in
  `instances` and `inputs`, whose values can't be assigned to features.
- NaN is null, as MLflow's client writes a missing value. A CSV has a column for each scored feature, and only an empty
  cell is missing. Parquet is not accepted.
- `/ping`, `/health` and `/version` answer plain text with that content type; MLflow labels it application/json.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from serve.api import sagemaker
from serve.api.body import CSV_MARKS, check_rows, read_batch, read_json_batch, respond
from serve.api.recording import loaded_model, name_decision, ready_model
from serve.api.wish import Wish, decide_as_wished
from serve.contract.contract import MOST_FIELDS_NAMED, Contract
from serve.contract.tables import Monitored, encode_columns, encode_csv, encode_records
from serve.errors import RequestError

VERSION = "3.17.2"  # of the MLflow whose protocol this is; MLflow itself answers the same

blueprint = Blueprint("mlflow_scoring", __name__)


@blueprint.get("/ping")
@blueprint.get("/health")
def ping() -> Response:
    """Answer 200 and an empty line with a model; 503 without one, and while the server is stopping."""
    ready_model()
    return Response("\n", mimetype="text/plain")


@blueprint.get("/version")
def version() -> Response:
    """Return the version of the protocol; MLflow's clients don't compare it."""
    return Response(VERSION, mimetype="text/plain")


@blueprint.post("/invocations")
def invocations() -> Response:
    """Return the codes of many applications, 1 approved and 0 not, decided at the served threshold; more on request."""
    loaded = loaded_model()
    _check_content_type()
    contract = loaded.scorer.contract
    monitored: Monitored = {}
    wish = Wish.read_header(request.headers.get(sagemaker.ATTRIBUTES, ""), sagemaker.ATTRIBUTES)
    if request.mimetype == "text/csv":
        X = encode_csv(contract, sagemaker.with_header(contract, read_batch(contract, CSV_MARKS)), monitored)
    elif request.mimetype in sagemaker.LINES:
        X = _encode_frame_records(contract, sagemaker.read_lines(contract), "", monitored)
    else:
        document = read_json_batch(contract, nan_is_null=True)
        X = _encode_json(contract, document, monitored)
        wish = wish if document.get("params") is None else Wish.read(document["params"], "params")
    check_rows(len(X))
    answers, decision_id = decide_as_wished(loaded, X, wish, monitored)
    response = sagemaker.write(answers) or respond({"predictions": answers})
    return name_decision(response, loaded, decision_id)


def _check_content_type() -> None:
    if request.mimetype not in ("application/json", "text/csv", *sagemaker.LINES):
        raise UnsupportedMediaType("expected Content-Type: application/json, text/csv or application/jsonlines")
    if set(request.mimetype_params) - {"charset"}:
        raise UnsupportedMediaType("expected no parameter of the Content-Type but charset=utf-8")


def _encode_json(contract: Contract, document: Any, monitored: Monitored) -> np.ndarray:
    names = [name for name in FORMATS if name in document] if isinstance(document, Mapping) else []
    if len(names) != 1:
        raise RequestError(f"expected an object with exactly one of {', '.join(FORMATS)}")
    if len(document) > 1 + ("params" in document):
        raise RequestError(f"unknown key, expected one of {', '.join(FORMATS)}, and nothing beside it")
    (name,) = names
    return FORMATS[name](contract, document[name], name, monitored)


def _encode_split(contract: Contract, value: Any, where: str, monitored: Monitored) -> np.ndarray:
    if not isinstance(value, Mapping) or not {"columns", "data"} <= set(value) <= {"columns", "data", "index"}:
        raise RequestError(f"{where}: expected an object of columns and data, and an index or none")
    columns, data, index = value["columns"], value["data"], value.get("index")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise RequestError(f"{where}.columns: expected a list of names")
    if len(columns) > len(contract.features) + MOST_FIELDS_NAMED:
        raise RequestError(f"{where}.columns: expected no more names than the contract has")
    if len(set(columns)) < len(columns):
        raise RequestError(f"{where}.columns: a name stands twice")
    if not isinstance(data, list):
        raise RequestError(f"{where}.data: expected a list of rows")
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            raise RequestError(f"{where}.data[{number}]: expected a list of as many values as there are columns")
    if index is not None and not (isinstance(index, list) and len(index) == len(data)):
        raise RequestError(f"{where}.index: expected as many entries as data has rows")
    check_rows(len(data))
    named = {name: [row[i] for row in data] for i, name in enumerate(columns)}
    return encode_columns(contract, named, monitored)


def _encode_frame_records(contract: Contract, value: Any, where: str, monitored: Monitored) -> np.ndarray:
    if not isinstance(value, list):
        raise RequestError(f"{where}: expected a list of records")
    check_rows(len(value))
    return encode_records(contract, value, monitored)


def _encode_tensors(contract: Contract, value: Any, where: str, monitored: Monitored) -> np.ndarray:
    """Encode records, one record, or columns: the three ways to give a named-column model `instances` or `inputs`."""
    if isinstance(value, list) and all(isinstance(record, Mapping) for record in value):
        return _encode_frame_records(contract, value, where, monitored)
    if not isinstance(value, Mapping):
        raise RequestError(f"{where}: expected records or columns; values without names are ambiguous")
    lists = [isinstance(column, list) for column in value.values()]
    if not any(lists):
        return encode_records(contract, [value], monitored)
    if not all(lists):
        raise RequestError(f"{where}: expected a list in each column, or in none")
    rows = max(map(len, value.values()))
    check_rows(rows)
    return encode_columns(contract, value, monitored)


FORMATS: dict[str, Callable[[Contract, Any, str, Monitored], np.ndarray]] = {
    "dataframe_split": _encode_split,
    "dataframe_records": _encode_frame_records,
    "instances": _encode_tensors,
    "inputs": _encode_tensors,
}
