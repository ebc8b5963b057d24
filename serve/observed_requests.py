"""The observer's ear in Flask: each answer is counted by route, and a W3C `traceparent` is handed back."""

import re
import time

from flask import Flask, Response, g, request

from serve.observation import Observer

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# Source: W3C Trace Context, section 3.2.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def observe(app: Flask, observer: Observer) -> None:
    """Have the application tell the observer of each answer."""

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.begun if "begun" in g else 0.0
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        trace = request.headers.get("traceparent", "")
        if not TRACEPARENT.fullmatch(trace):
            trace = ""
        if trace:
            response.headers["traceparent"] = trace
        decision_id = response.headers.get("X-Decision-Id", "")
        observer.answered(route, method, response.status_code, seconds, decision_id, trace)
        return response
