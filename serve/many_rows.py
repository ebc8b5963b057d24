"""What every request with many rows shares: its body, within the limits of a batch."""

from flask import current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from serve.api import read_body
from serve.contract import Contract
from serve.settings import Settings
from serve.strict_json import count_byte

JSON_MARKS = ",[{"  # each begins an item
CSV_MARKS = ",\r\n"
FEW = 100  # lines without an application, and a protocol's own items


def read_many(contract: Contract, marks: str = JSON_MARKS) -> bytes:
    """Return the body of this request. Raises RequestEntityTooLarge, JSONError.

    A body with more items than the most rows could have is refused before it is parsed: two bytes of JSON may take
    seventy in memory, so bytes alone are no measure.
    """
    settings: Settings = current_app.extensions["settings"]
    request.max_content_length = settings.max_batch_bytes
    body = read_body()
    most = (settings.max_batch_rows + FEW) * _most_items(contract, marks)
    if len(body) > most and sum(count_byte(body, mark.encode()) for mark in marks) > most:
        check_rows(settings.max_batch_rows + 1)
    return body


def check_rows(rows: int) -> None:
    """Raise RequestEntityTooLarge when there are more rows than one request may have."""
    settings: Settings = current_app.extensions["settings"]
    if rows > settings.max_batch_rows:
        raise RequestEntityTooLarge(f"more than {settings.max_batch_rows} rows, send them in several requests")


def _most_items(contract: Contract, marks: str) -> int:
    """Return how many items a row may have in any format: each value in a list of its own, marks in its text too."""
    texts = [[feature.name, *feature.values] for feature in contract.features]
    return 2 + sum(2 + 2 * max(sum(map(text.count, marks)) for text in names) for names in texts)
