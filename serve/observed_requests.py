"""The observer's ear in Flask: each answer is counted by route, and a W3C `traceparent` is handed back."""

import time

from flask import Flask, Response, g, request

from serve.observation import Observer
from serve.trace_context import valid_traceparent

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


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
        trace = valid_traceparent(request.headers.get("traceparent", ""))
        if trace:
            response.headers["traceparent"] = trace
        decision_id, version = (response.headers.get(name, "") for name in ("X-Decision-Id", "X-Model-Version"))
        observer.answered(route, method, response.status_code, seconds, decision_id, trace, version)
        return response
