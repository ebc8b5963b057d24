"""`create_app`: wiring only."""

import logging
import os
import traceback
from threading import Event
from urllib.parse import urlsplit

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from serve.api import batch, card, decision, mlflow_scoring, open_inference, predict, status
from serve.api.body import respond
from serve.api.hooks import observe, record_refusals, require_keys
from serve.api.pages import app_pages, docs_pages, openapi
from serve.errors import ApplicationError, JSONError, RequestError
from serve.keys import Keys
from serve.metrics.observer import Observer
from serve.records.prediction_log import PredictionLog
from serve.settings import Settings
from serve.shadow.shadow import make_shadow
from serve.store.live import LiveModel
from serve.store.store import open_store

log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application; settings come from the environment unless given. Raises SettingsError."""
    settings = settings or Settings.from_environment(os.environ)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    model = LiveModel(open_store(settings))
    observer = Observer(settings.request_log)
    keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
    model.on_swap = observer.swapped
    app.extensions |= {"settings": settings, "live_model": model, "observer": observer, "keys": keys}
    log_of_predictions = PredictionLog(settings, observer.recorded) if settings.prediction_log else None
    app.extensions["prediction_log"] = log_of_predictions
    app.extensions["shadow"] = shadow = make_shadow(settings, observer.tallies)
    app.extensions["stopping"] = Event()
    observe(app, observer)
    if keys:
        require_keys(app, keys, observer)
    if log_of_predictions:
        record_refusals(app, log_of_predictions.refusals)
    interfaces = (status, predict, batch, decision, card, open_inference, mlflow_scoring)
    for blueprint in (*(module.blueprint for module in interfaces), app_pages, docs_pages, openapi):
        app.register_blueprint(blueprint)
    app.after_request(_redirect_within)
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


def _redirect_within(response: Response) -> Response:
    """Make the router's redirects relative: its own name the host that the caller said, and http behind TLS too."""
    if response.location:
        response.location = urlsplit(response.location)._replace(scheme="", netloc="").geturl()
        response.set_data(b"")
    return response


def _internal_error(err: Exception) -> Response:
    # The message may quote an applicant's value; the class and the lines can't.
    lines = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(err.__traceback__)]
    log.error("%s at %s", type(err).__name__, " < ".join(reversed(lines)))
    return respond({"error": "internal error"}, 500)
