"""`POST /api/v2/predict/batch`: many applications in one request; the answer has the shape of the question."""

import csv
import io
from collections.abc import Callable

import numpy as np
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from serve import strict_json
from serve.api import decide_rows, loaded_model, name_decision, read_body
from serve.contract import Contract
from serve.errors import ApplicationError
from serve.settings import Settings
from serve.strict_json import count_byte
from serve.tables import encode_columns, encode_csv, encode_records

JSON, CSV = "application/json", "text/csv"
Render = Callable[[Contract, np.ndarray], bytes]

blueprint = Blueprint("batch", __name__)


@blueprint.post("/api/v2/predict/batch")
def predict_batch() -> Response:
    """Decide every application of a batch, or none of them. X-Decision-Id names the batch."""
    loaded = loaded_model()
    contract = loaded.scorer.contract
    settings: Settings = current_app.extensions["settings"]
    if request.mimetype not in (JSON, CSV):
        raise UnsupportedMediaType(f"expected Content-Type: {JSON} or {CSV}")
    if request.mimetype == CSV and request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("expected a CSV in UTF-8")
    request.max_content_length = settings.max_batch_bytes
    encode = _encode_csv if request.mimetype == CSV else _encode_json
    X, render = encode(contract, read_body(), settings.max_batch_rows)
    _, codes = decide_rows(loaded, X)
    return name_decision(Response(render(contract, codes), mimetype=request.mimetype), loaded)


def _encode_json(contract: Contract, body: bytes, most_rows: int) -> tuple[np.ndarray, Render]:
    _check_size(contract, body, most_rows, ",[{")
    document = strict_json.loads(body)
    if isinstance(document, list):
        _check_rows(len(document), most_rows)
        return encode_records(contract, document), _render_records
    if isinstance(document, dict):
        lengths = [len(values) for values in document.values() if isinstance(values, list)]
        _check_rows(max(lengths, default=0), most_rows)
        return encode_columns(contract, document), _render_columns
    raise ApplicationError({"": "neither, expected a list of applications or an object with a list for each feature"})


def _encode_csv(contract: Contract, body: bytes, most_rows: int) -> tuple[np.ndarray, Render]:
    _check_size(contract, body, most_rows, ",\r\n")
    if b'"' not in body:
        _check_rows(body.rstrip(b"\r\n").count(b"\n"), most_rows)
    X = encode_csv(contract, body)
    _check_rows(len(X), most_rows)  # with quotes, a line's end may stand within a cell
    return X, _render_csv


def _check_size(contract: Contract, body: bytes, most_rows: int, marks: str) -> None:
    """Refuse a body before it is parsed when so many items are marked in it that it can't be a batch within the limit.

    Two bytes of JSON may take seventy in memory: bytes alone are no measure.
    """
    texts = [[feature.name, *feature.values] for feature in contract.features]  # these may hold marks too
    a_row = 1 + sum(1 + 2 * max(sum(map(text.count, marks)) for text in of_feature) for of_feature in texts)
    most = (most_rows + 1) * a_row + 64  # and a few empty lines at the end
    if len(body) > most and sum(count_byte(body, mark.encode()) for mark in marks) > most:
        _check_rows(most_rows + 1, most_rows)


def _check_rows(rows: int, most_rows: int) -> None:
    if rows > most_rows:
        raise RequestEntityTooLarge(f"more than {most_rows} applications, send several batches")


def _render_records(contract: Contract, codes: np.ndarray) -> bytes:
    answers = [strict_json.dumps({"prediction": contract.label(code), "prediction_code": code}) for code in (0, 1)]
    return b"[%b]" % _pick(answers, codes)


def _render_columns(contract: Contract, codes: np.ndarray) -> bytes:
    labels = [strict_json.dumps(contract.label(code)) for code in (0, 1)]
    return b'{"prediction":[%b],"prediction_code":[%b]}' % (_pick(labels, codes), _pick([b"0", b"1"], codes))


def _render_csv(contract: Contract, codes: np.ndarray) -> bytes:
    lines = [_csv_line([contract.label(code), code]) for code in (0, 1)]
    return _csv_line(["prediction", "prediction_code"]) + _pick(lines, codes, b"")


def _csv_line(cells: list[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _pick(answers: list[bytes], codes: np.ndarray, between: bytes = b",") -> bytes:
    """Return the answer of each code, in a row: each is written once, not once for each application."""
    return between.join([answers[code] for code in codes.tolist()])
