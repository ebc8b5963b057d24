"""The prediction log's ear in Flask: the applicant's key is checked, and refused requests for decisions are counted."""

import time

from flask import Flask, Response, g, request

from serve.applicant import HEADER, LONGEST_KEY, is_key
from serve.errors import RequestError
from serve.refusals import Refusals

DECIDING = frozenset(
    ("api.predict", "batch.predict_batch", "decision.decide", "invocations.invocations", "open_inference.infer")
)
KINDS = {400: "malformed", 413: "too large", 415: "content type", 422: "shape"}  # by status, where nobody knows better


def record_refusals(app: Flask, refusals: Refusals) -> None:
    """Have the application count what it refuses, and refuse what can't be an applicant's key."""

    @app.before_request
    def check() -> None:
        key = request.headers.get(HEADER)
        if request.endpoint in DECIDING and key is not None and not is_key(key.encode("latin-1")):
            raise RequestError(f"{HEADER}: expected 1 to {LONGEST_KEY} printable ASCII characters without a comma")

    @app.after_request
    def count(response: Response) -> Response:
        kind = KINDS.get(response.status_code)
        if kind and request.endpoint in DECIDING:
            refusals.count(request.url_rule.rule, g.get("faults") or {("", kind): 1}, time.time())
        return response
