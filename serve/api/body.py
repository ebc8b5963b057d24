"""What requests and responses hold: JSON, batches within their limits, choices in the query."""

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from serve import strict_json
from serve.api.encoding import check_charset, decompress, is_gzip
from serve.api.room import Room, discard, weigh
from serve.contract.contract import Contract
from serve.errors import JSONError, RequestError
from serve.settings import Settings
from serve.strict_json import count_byte

JSON_MARKS = ",[{"  # each begins an item
CSV_MARKS = ",\r\n"
SPARE_ROWS = 100  # allowance for empty lines and for a protocol's own items


def respond(document: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(strict_json.dumps_in_pieces(document), status, mimetype="application/json")


def write_csv_row(cells: Sequence[Any]) -> bytes:
    """Return a line of a CSV; a list is one cell, with spaces between its items."""
    line = io.StringIO()
    csv.writer(line).writerow([" ".join(cell) if isinstance(cell, list) else cell for cell in cells])
    return line.getvalue().encode()


def require_json() -> None:
    """Raise UnsupportedMediaType unless the body is said to be JSON."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("expected Content-Type: application/json")


def read_json() -> Any:
    """Return this request's JSON body. Raises UnsupportedMediaType, RequestEntityTooLarge, JSONError."""
    require_json()
    return strict_json.loads_in_pieces(_read_body())


def read_batch(contract: Contract, marks: str = JSON_MARKS) -> bytes:
    """Return this request's body, many rows, decompressed where it is in gzip.

    Raises UnsupportedMediaType, RequestEntityTooLarge, JSONError, RequestError.

    The items are counted before the body is parsed: two bytes of JSON may take seventy in memory, so a limit of bytes
    alone does not bound memory.
    """
    settings: Settings = current_app.extensions["settings"]
    request.max_content_length = settings.max_batch_bytes
    g.has_many_rows = True
    body = _read_body(takes_gzip=True)
    most = (settings.max_batch_rows + SPARE_ROWS) * _most_items(contract, marks)
    if len(body) > most and sum(count_byte(body, mark.encode()) for mark in marks) > most:
        check_rows(settings.max_batch_rows + 1)
    return body


def read_json_batch(
    contract: Contract,
    nan_is_null: bool = False,
    to_json: Callable[[bytes], bytes] = bytes,
    parse: Callable[[bytes, bool], Any] = strict_json.loads_in_pieces,
) -> Any:
    """Return this request's JSON body, many rows, once there is room for it.

    to_json: makes JSON of the body.   parse: reads it.   Raises as `read_batch`, and ServiceUnavailable.
    """
    body = to_json(read_batch(contract))
    g.room = ExitStack()
    g.room.enter_context(current_app.extensions["room"].hold(weigh(body)))
    g.document = parse(body, nan_is_null)
    return g.document


def share_room(app: Flask, size: int) -> None:
    """Let the parsed bodies of all requests take so many bytes of memory together."""
    app.extensions["room"] = Room(size)

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        if "room" in g:
            discard(g.pop("document", None))
            g.pop("room").close()


def check_rows(rows: int) -> None:
    """Raise RequestEntityTooLarge when there are more rows than one request may have."""
    settings: Settings = current_app.extensions["settings"]
    if rows > settings.max_batch_rows:
        raise RequestEntityTooLarge(f"more than {settings.max_batch_rows} rows, send them in several requests")


def read_choice(name: str, chosen: str, otherwise: str) -> bool:
    """Return whether a query parameter is `chosen`; absent, it is `otherwise`. Raises RequestError."""
    values = request.args.getlist(name) or [otherwise]
    if len(values) > 1 or values[0] not in (chosen, otherwise):
        raise RequestError(f"query.{name}: expected {chosen} or {otherwise}, once")
    return values[0] == chosen


def _read_body(takes_gzip: bool = False) -> bytes:
    """Return the decoded body: the one place where a route reads it."""
    check_charset()
    is_compressed = is_gzip(takes_gzip)
    body = _receive_body()
    return decompress(body, request.max_content_length) if is_compressed else body


def _receive_body() -> bytes:
    held = request.environ.get("serve.body")
    if held is not None:  # this server's front has it whole: copying 16 MB would keep the interpreter for 10 ms
        if len(held) > request.max_content_length:
            raise RequestEntityTooLarge
        return held
    try:
        body = request.get_data(cache=False)
        if request.content_length is None:
            request.stream.read(1)  # a chunked body is cut at the limit without an error; only a further read raises it
    except OSError:  # of a WSGI server whose body ends early
        raise JSONError("the body can't be read") from None
    return body


def _most_items(contract: Contract, marks: str) -> int:
    """Return how many items a row may have in any format: each value in its own list, marks within texts included."""
    texts = [[feature.name, *feature.values] for feature in contract.features]
    return 2 + sum(2 + 2 * max(sum(map(text.count, marks)) for text in names) for names in texts)
