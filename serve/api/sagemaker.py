"""What Amazon SageMaker sends and expects on `/invocations` beyond MLflow's protocol.

Source: SageMaker AI Developer Guide, "Custom inference code with hosting services" and "with batch transform", and
"Common data formats for inference". A CSV has no header there: its columns are the scored features in contract order.
"""

import csv
import io
from typing import Any

from flask import Response, request

from serve import strict_json
from serve.api.body import read_json_batch
from serve.api.wish import Wish
from serve.contract.contract import Contract
from serve.errors import JSONError

LINES = ("application/jsonlines", "application/x-ndjson")
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
LONGEST_HEADER = 65_536  # bytes of the first line that are looked at


def read_wish() -> Wish:
    """Return what the custom attributes ask for. Raises RequestError."""
    return Wish.read_header(request.headers.get(ATTRIBUTES, ""), ATTRIBUTES)


def with_header(contract: Contract, body: bytes) -> bytes:
    """Return a CSV with a header: where the first line is a row, the names of the scored features stand above it.

    It is a row if it has as many cells as there are scored features, names none of them, and one of its cells is a
    value of its feature.
    """
    line = body[:LONGEST_HEADER].removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].rstrip(b"\r")
    features = contract.scored
    try:
        cells = next(csv.reader([line.decode()], strict=True), [])
    except (ValueError, csv.Error):
        return body
    if len(cells) != len(features) or {feature.name for feature in contract.features} & set(cells):
        return body
    if all(feature.encode_cells([cell])[1] for feature, cell in zip(features, cells, strict=True)):
        return body
    return _write_row([feature.name for feature in features]) + body


def read_lines(contract: Contract) -> list[Any]:
    """Return the documents of a body of one JSON document a line. Raises as `read_json_batch`."""
    lines = 0

    def to_json(body: bytes) -> bytes:
        nonlocal lines
        body = body.rstrip(b"\r\n")
        lines = body.count(b"\n") + 1
        return b"[%b]" % body.replace(b"\n", b",")

    documents = read_json_batch(contract, True, to_json)
    if len(documents) != lines:
        raise JSONError("expected one JSON document in each line")
    return documents


def write(answers: list[Any]) -> Response | None:
    """Return the answers as lines, if the caller accepts these; None: it takes MLflow's document."""
    accepted = request.accept_mimetypes.best if request.headers.get("Accept") else None
    if accepted in LINES or (accepted in (None, "*/*") and request.mimetype in LINES):
        lines = [strict_json.dumps(answer) + b"\n" for answer in answers]
        return Response(b"".join(lines), mimetype=LINES[0])
    if accepted != "text/csv":
        return None
    rows = [list(answer.values()) if isinstance(answer, dict) else [answer] for answer in answers]
    return Response(b"".join(map(_write_row, rows)), mimetype="text/csv")


def _write_row(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([" ".join(cell) if isinstance(cell, list) else cell for cell in cells])
    return line.getvalue().encode()
