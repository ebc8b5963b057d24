"""Which response each class of errors gets: status, and the error's text in the shape of the protocol that was asked.

All errors are `{"error": …}`, with `fields` where the application breaks the contract. Clients of the other protocols
print one text only: the first fault stands in it. MLflow's read `error_code` and `message`.
"""

import logging
import traceback
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, NotFound

from serve.api.body import respond
from serve.errors import ApplicationError, JSONError, RequestError

CODES = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 404: "RESOURCE_DOES_NOT_EXIST", 405: "BAD_REQUEST"}
CODES |= {413: "BAD_REQUEST", 415: "BAD_REQUEST", 422: "INVALID_PARAMETER_VALUE", 503: "TEMPORARILY_UNAVAILABLE"}
ONE_TEXT = ("open_inference", "v1", "vertex", "mlflow_scoring")  # interfaces whose clients print one text
NO_ROUTE = "nothing is at this path; GET /openapi.json lists the routes, /docs/ shows them"
log = logging.getLogger(__name__)


def handle_errors(app: Flask) -> None:
    """Answer what routes and hooks raise."""
    app.register_error_handler(ApplicationError, _unprocessable)
    for malformed in (JSONError, RequestError):
        app.register_error_handler(malformed, lambda err: _answer(str(err), 400))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _internal_error)


def _answer(text: str, status: int, **more: Any) -> Response:
    document = {"error": text, **more}
    if _interface() == "mlflow_scoring":
        document |= {"error_code": CODES.get(status, "INTERNAL_ERROR"), "message": text}
    return respond(document, status)


def _interface() -> str:
    return (request.endpoint or "").partition(".")[0]


def _unprocessable(err: ApplicationError) -> Response:
    g.faults = err.faults
    text = "the application breaks the contract"
    if _interface() in ONE_TEXT:
        place, problem = next(iter(err.fields.items()))
        text += f": {place}: {problem}" if place else f": {problem}"
    return _answer(text, 422, fields=err.fields)


def _http_error(err: HTTPException) -> Response:
    text = NO_ROUTE if err.description == NotFound.description else err.description or err.name
    response = _answer(text, err.code or 500)
    for name, value in err.get_headers():
        if name.lower() in ("allow", "retry-after", "location", "accept-encoding"):
            response.headers[name] = value
    return response


def _internal_error(err: Exception) -> Response:
    # The message may quote an applicant's value; the class and the line numbers can't.
    lines = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(err.__traceback__)]
    log.error("%s at %s", type(err).__name__, " < ".join(reversed(lines)))
    return _answer("internal error", 500)
