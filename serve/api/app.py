"""The Flask application: its parts, the status of each class of errors, and what runs before and after a request.

Source of the trace context: W3C Trace Context, section 3.2.
"""

import logging
import os
import re
import time
import traceback
from threading import Event
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from serve.api import batch, decision, mlflow_scoring, open_inference, status
from serve.api.body import respond
from serve.api.pages import app_pages, docs_pages, documents
from serve.errors import ApplicationError, JSONError, RequestError
from serve.keys import Keys
from serve.metrics.observer import Observer
from serve.records.applicant import HEADER, LONGEST_KEY, is_key
from serve.records.prediction_log import PredictionLog
from serve.records.refusals import Refusals
from serve.settings import Settings
from serve.shadow.shadow import make_shadow
from serve.store.live import LiveModel
from serve.store.store import open_store

PUBLIC = ("/", "/ping")
PUBLIC_PREFIX = "/health/"
CHALLENGES = ('Bearer realm="loan-approval"', 'Basic realm="loan-approval", charset="UTF-8"')
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
DECISION_ENDPOINTS = frozenset(
    ("decision.predict", "decision.decide", "batch.predict_batch", "mlflow_scoring.invocations", "open_inference.infer")
)
REFUSAL_KINDS = {400: "malformed", 413: "too large", 415: "content type", 422: "shape"}  # of an error without faults
_match_traceparent = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application. Without settings it reads the environment. Raises SettingsError."""
    settings = settings or Settings.from_environment(os.environ)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    model = LiveModel(open_store(settings))
    observer = Observer(settings.request_log)
    keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
    prediction_log = PredictionLog(settings, observer.recorded) if settings.prediction_log else None
    shadow = make_shadow(settings, observer.tallies)
    model.on_swap = observer.swapped
    app.extensions |= {"settings": settings, "live_model": model, "observer": observer, "keys": keys}
    app.extensions |= {"prediction_log": prediction_log, "shadow": shadow, "stopping": Event()}
    _observe(app, observer)
    if keys:
        _require_keys(app, keys, observer)
    if prediction_log:
        _record_refusals(app, prediction_log.refusals)
    for module in (status, decision, batch, open_inference, mlflow_scoring):
        app.register_blueprint(module.blueprint)
    for blueprint in (app_pages, docs_pages, documents):
        app.register_blueprint(blueprint)
    app.after_request(_make_redirect_relative)
    app.register_error_handler(ApplicationError, _unprocessable)
    for malformed in (JSONError, RequestError):
        app.register_error_handler(malformed, lambda err: respond({"error": str(err)}, 400))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _internal_error)
    model.refresh()
    model.watch(settings.poll_seconds)
    if shadow:
        shadow.start(settings.poll_seconds)
    return app


def _unprocessable(err: ApplicationError) -> Response:
    g.faults = err.faults
    return respond({"error": "the application breaks the contract", "fields": err.fields}, 422)


def _http_error(err: HTTPException) -> Response:
    response = respond({"error": err.description or err.name}, err.code or 500)
    for name, value in err.get_headers():
        if name.lower() in ("allow", "retry-after", "location"):
            response.headers[name] = value
    return response


def _make_redirect_relative(response: Response) -> Response:
    """Drop scheme and host from a redirect: the router takes the host from the caller, and does not know of TLS."""
    if response.location:
        response.location = urlsplit(response.location)._replace(scheme="", netloc="").geturl()
        response.set_data(b"")
    return response


def _internal_error(err: Exception) -> Response:
    # The message may quote an applicant's value; the class and the line numbers can't.
    lines = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(err.__traceback__)]
    log.error("%s at %s", type(err).__name__, " < ".join(reversed(lines)))
    return respond({"error": "internal error"}, 500)


def _require_keys(app: Flask, keys: Keys, observer: Observer) -> None:
    """Require an API key on non-public routes. A request without a valid one gets 401 before it is read any further."""

    @app.before_request
    def check() -> Response | None:
        # Judge the matched route, not the path: two readers of one path could disagree.
        rule = request.url_rule.rule if request.url_rule else ""
        if rule in PUBLIC or rule.startswith(PUBLIC_PREFIX):
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


def _observe(app: Flask, observer: Observer) -> None:
    """Report each response to the observer, and return a valid W3C `traceparent` to the caller."""

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


def _record_refusals(app: Flask, refusals: Refusals) -> None:
    """Count refused requests for decisions, and refuse those with an invalid applicant key."""

    @app.before_request
    def check() -> None:
        key = request.headers.get(HEADER)
        if request.endpoint in DECISION_ENDPOINTS and key is not None and not is_key(key.encode("latin-1")):
            raise RequestError(f"{HEADER}: expected 1 to {LONGEST_KEY} printable ASCII characters without a comma")

    @app.after_request
    def count(response: Response) -> Response:
        kind = REFUSAL_KINDS.get(response.status_code)
        if kind and request.endpoint in DECISION_ENDPOINTS:
            refusals.count(request.url_rule.rule, g.get("faults") or {("", kind): 1}, time.time())
        return response


def valid_traceparent(text: str) -> str:
    """Return a valid `traceparent` unchanged, "" for anything else."""
    return text if _match_traceparent(text) else ""
