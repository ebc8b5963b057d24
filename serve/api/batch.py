"""`POST /api/v2/predict/batch`: many applications in one request; the answer has the format of the request."""

from collections.abc import Callable

import numpy as np
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from serve import strict_json
from serve.api.body import CSV_MARKS, check_rows, read_batch, read_choice, read_json_batch, write_csv_row
from serve.api.recording import decide_rows, loaded_model, name_decision
from serve.api.wish import Reasons, explain_rows
from serve.contract.contract import Contract
from serve.contract.tables import Monitored, encode_columns, encode_csv, encode_records
from serve.errors import ApplicationError

JSON, CSV = "application/json", "text/csv"
Render = Callable[[Contract, list[int], Reasons | None], bytes]  # writes n decisions in one format

blueprint = Blueprint("batch", __name__)


@blueprint.post("/api/v2/predict/batch")
def predict_batch() -> Response:
    """Decide every application of a batch, or none of them. X-Decision-Id names the batch.

    `?reasons=true` adds the codes of the principal reasons, those that `/api/v2/decision` gives.
    """
    with_reasons = read_choice("reasons", "true", "false")
    loaded = loaded_model()
    contract = loaded.scorer.contract
    if request.mimetype not in (JSON, CSV):
        raise UnsupportedMediaType(f"expected Content-Type: {JSON} or {CSV}")
    monitored: Monitored = {}
    X, render = (_encode_csv if request.mimetype == CSV else _encode_json)(contract, monitored)
    reasons = explain_rows(loaded, X) if with_reasons else None
    _, codes, decision_id = decide_rows(loaded, X, monitored, reasons)
    answer = render(contract, codes.tolist(), reasons)
    return name_decision(Response(answer, mimetype=request.mimetype), loaded, decision_id)


def _encode_json(contract: Contract, monitored: Monitored) -> tuple[np.ndarray, Render]:
    document = read_json_batch(contract)
    if isinstance(document, list):
        check_rows(len(document))
        return encode_records(contract, document, monitored), _render_records
    if isinstance(document, dict):
        check_rows(max((len(values) for values in document.values() if isinstance(values, list)), default=0))
        return encode_columns(contract, document, monitored), _render_columns
    raise ApplicationError({"": "neither, expected a list of applications or an object with a list for each feature"})


def _encode_csv(contract: Contract, monitored: Monitored) -> tuple[np.ndarray, Render]:
    body = read_batch(contract, CSV_MARKS)
    if b'"' not in body:
        check_rows(body.rstrip(b"\r\n").count(b"\n"))
    X = encode_csv(contract, body, monitored)
    check_rows(len(X))  # with quotes, the end of a line may be part of a cell
    return X, _render_csv


# Each renderer writes both answers once, and repeats them.
def _render_records(contract: Contract, codes: list[int], reasons: Reasons | None = None) -> bytes:
    answers = [strict_json.dumps({"prediction": contract.label(code), "prediction_code": code}) for code in (0, 1)]
    lines = [answers[code] for code in codes]
    if reasons is not None:
        ends = map(strict_json.dumps, reasons)
        lines = [b'%b,"reasons":%b}' % (line[:-1], end) for line, end in zip(lines, ends, strict=True)]
    return b"[%b]" % b",".join(lines)


def _render_columns(contract: Contract, codes: list[int], reasons: Reasons | None = None) -> bytes:
    labels = [strict_json.dumps(contract.label(code)) for code in (0, 1)]
    columns = b",".join([labels[code] for code in codes]), b",".join([b"1" if code else b"0" for code in codes])
    end = b"" if reasons is None else b',"reasons":' + strict_json.dumps(reasons)
    return b'{"prediction":[%b],"prediction_code":[%b]%b}' % (*columns, end)


def _render_csv(contract: Contract, codes: list[int], reasons: Reasons | None = None) -> bytes:
    header, *answers = ["prediction", "prediction_code"], [contract.label(0), 0], [contract.label(1), 1]
    if reasons is not None:
        rows = [[*answers[code], each] for code, each in zip(codes, reasons, strict=True)]
        return b"".join(map(write_csv_row, [[*header, "reasons"], *rows]))
    lines = list(map(write_csv_row, answers))
    return write_csv_row(header) + b"".join([lines[code] for code in codes])
