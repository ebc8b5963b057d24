"""What Amazon SageMaker sends and expects on `/invocations` beyond MLflow's protocol.

Source: SageMaker AI Developer Guide, "Custom inference code with hosting services" and "with batch transform", and
"Common data formats for inference". A CSV has no header there: its columns are the scored features in contract order.
"""

import csv
import io
from contextlib import suppress
from typing import Any

from flask import Response, request

from serve import strict_json
from serve.api.body import check_rows, read_json_batch, write_csv_row
from serve.contract.columns import encode_cells
from serve.contract.contract import Contract
from serve.errors import JSONError

BOM = b"\xef\xbb\xbf"
LINES = ("application/jsonlines", "application/x-ndjson")
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
JSON = "application/json"
CSVS = ("text/csv", "text/csv; charset=utf-8")  # a type with a parameter is another one to `Accept`
LONGEST_ACCEPT = 500  # characters; each name in it is compared with each form
LONGEST_HEADER = 65_536  # bytes of the first line that are looked at


def with_header(contract: Contract, body: bytes) -> bytes:
    """Return a CSV with a header: where the first line is a row, the names of the scored features stand above it.

    It is a row if it has as many cells as there are scored features, names none of them, and one of its cells is a
    value of its feature.
    """
    rows = body.removeprefix(BOM)
    line = rows[:LONGEST_HEADER].partition(b"\n")[0].rstrip(b"\r")
    features = contract.scored
    try:
        cells = next(csv.reader([line.decode()], strict=True), [])
    except (ValueError, csv.Error):
        return body
    if len(cells) != len(features) or {feature.name for feature in contract.features} & set(cells):
        return body
    if all(encode_cells(feature, [cell])[1] for feature, cell in zip(features, cells, strict=True)):
        return body
    return write_csv_row([feature.name for feature in features]) + rows


def read_lines(contract: Contract) -> list[Any]:
    """Return the documents of a body of one JSON document a line. Raises as `read_json_batch`."""
    return read_json_batch(contract, True, parse=_parse_lines)


def _parse_lines(body: bytes, nan_is_null: bool) -> list[Any]:
    body = body.rstrip(b"\r\n")
    check_rows(lines := body.count(b"\n") + 1)
    # At once where a comma can only stand between two lines: what follows it is an object, and no line holds a list.
    objects = body.replace(b"\n{", b"\n,{")
    if len(objects) == len(body) + lines - 1 and b"[" not in body:
        with suppress(JSONError):
            documents = strict_json.loads_in_pieces(b"[%b]" % objects, nan_is_null)
            if len(documents) == lines:
                return documents
    documents = []
    for number, line in enumerate(io.BytesIO(body), 1):
        try:
            documents.append(strict_json.loads_in_pieces(line, nan_is_null))
        except JSONError as err:
            raise JSONError(f"line {number}: {err}") from None
    return documents


def write(answers: list[Any]) -> Response | None:
    """Return the answers as lines or as a CSV, if the caller likes that best; None: it takes MLflow's document."""
    form = _choose_form()
    if form == JSON:
        return None
    if form in LINES:
        lines = [strict_json.dumps(answer) + b"\n" for answer in answers]
        return Response(b"".join(lines), mimetype=LINES[0])
    rows = [list(answer.values()) if isinstance(answer, dict) else [answer] for answer in answers]
    return Response(b"".join(map(write_csv_row, rows)), mimetype=CSVS[0])


def _choose_form() -> str:
    """Return the form of the answer that `Accept` likes best; of two liked alike, the one it names first."""
    usual = LINES[0] if request.mimetype in LINES else JSON
    if len(request.headers.get("Accept", "")) > LONGEST_ACCEPT:
        return usual
    accepted = request.accept_mimetypes
    forms = (usual, JSON, *LINES, *CSVS)
    named = [form for form, _ in accepted if form in forms]
    return accepted.best_match(dict.fromkeys((*named, *forms)), usual)
