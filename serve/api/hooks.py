"""What runs before and after each request: API keys, metrics, trace context and request id, counts of refusals."""

import time
from urllib.parse import quote

from flask import Flask, Response, g, request
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from serve.api.body import respond
from serve.errors import RequestError
from serve.keys import Keys
from serve.metrics.correlation import Correlation
from serve.metrics.observer import Observer
from serve.records.applicant import HEADER, LONGEST_KEY, is_key
from serve.records.refusals import Refusals

HEALTH_ENDPOINTS = frozenset(
    [
        *("status.live", "status.ready", "mlflow_scoring.ping", "open_inference.live", "open_inference.ready"),
        *("open_inference.model_ready", "v1.model_ready", "vertex.health"),
    ]
)
CHALLENGES = ('Bearer realm="loan-approval"', 'Basic realm="loan-approval", charset="UTF-8"')
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
DECISION_ENDPOINTS = frozenset(
    [
        *("decision.predict", "decision.decide", "batch.predict_batch", "mlflow_scoring.invocations"),
        *("open_inference.infer", "v1.predict", "v1.explain", "vertex.predict"),
    ]
)
LONGEST_QUERY, LONGEST_CONTENT_TYPE = 1000, 200  # characters
REFUSAL_KINDS = {400: "malformed", 413: "too large", 415: "content type", 422: "shape"}  # of an error without faults


def require_keys(app: Flask, keys: Keys, observer: Observer) -> None:
    """Require an API key on non-public routes. A request without a valid one gets 401 before it is read any further."""

    @app.before_request
    def check() -> Response | None:
        # Judge the matched route, not the path: two readers of one path could disagree.
        if request.endpoint == "status.status" or request.endpoint in HEALTH_ENDPOINTS:
            return None
        names = ("authorization", "x-api-key")
        name = keys.holder({name.encode(): request.headers.get(name, "").encode("latin-1") for name in names})
        if name:
            observer.used_key(name)
            return None
        response = respond({"error": "expected a valid API key"}, 401)
        for challenge in CHALLENGES:
            response.headers.add("WWW-Authenticate", challenge)
        return response


def refuse_other_spellings(app: Flask) -> None:
    """Answer 404 to any spelling of a path but one, since a proxy may have judged the path as it was spelled.

    The one spelling has single slashes and percent-encodes what `urllib.parse.quote` does. It is checked where the WSGI
    server gives the target as it came, in RAW_URI: ours does.
    """
    app.url_map.merge_slashes = False

    @app.before_request
    def check() -> None:
        raw = request.environ.get("RAW_URI")
        path = request.environ["PATH_INFO"]
        if "//" in path or (raw is not None and raw.partition("?")[0] != quote(path.encode("latin-1"), "/:")):
            raise NotFound


def refuse_long_headers(app: Flask) -> None:
    """Refuse what would take long to parse: a query string, or a header that a route parses, of thousands of parts."""

    @app.before_request
    def check() -> None:
        if len(request.query_string) > LONGEST_QUERY:
            raise RequestError(f"query: expected at most {LONGEST_QUERY} characters")
        if len(request.headers.get("Content-Type", "")) > LONGEST_CONTENT_TYPE:
            raise UnsupportedMediaType(f"Content-Type: expected at most {LONGEST_CONTENT_TYPE} characters")
        if len(request.headers.get("If-None-Match", "")) > LONGEST_QUERY:
            raise RequestError(f"If-None-Match: expected at most {LONGEST_QUERY} characters")


def observe(app: Flask, observer: Observer) -> None:
    """Report each response to the observer, and return trace context and request id to the caller."""

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.begun if "begun" in g else 0.0
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        sent = Correlation.read(lambda name: request.headers.get(name, ""))
        for name, value in sent.headers():
            response.headers[name] = value
        decision_id, version = (response.headers.get(name, "") for name in ("X-Decision-Id", "X-Model-Version"))
        observer.answered(route, method, response.status_code, seconds, decision_id, version, sent)
        return response


def check_applicant_keys(app: Flask) -> None:
    """Refuse requests for decisions with an invalid applicant key, also where no log would keep it."""

    @app.before_request
    def check() -> None:
        key = request.headers.get(HEADER)
        if request.endpoint in DECISION_ENDPOINTS and key is not None and not is_key(key.encode("latin-1")):
            raise RequestError(f"{HEADER}: expected 1 to {LONGEST_KEY} printable ASCII characters without a comma")


def record_refusals(app: Flask, refusals: Refusals) -> None:
    """Count refused requests for decisions."""

    @app.after_request
    def count(response: Response) -> Response:
        kind = REFUSAL_KINDS.get(response.status_code)
        if kind and request.endpoint in DECISION_ENDPOINTS:
            refusals.count(request.url_rule.rule, g.get("faults") or {("", kind): 1}, time.time())
        return response
