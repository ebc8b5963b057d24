"""`create_app` puts the Flask application together."""

import os
from threading import Event

from flask import Flask

from serve.api import batch, decision, mlflow_scoring, open_inference, status, v1
from serve.api.body import share_room
from serve.api.cors import allow_origins
from serve.api.encoding import compress_responses
from serve.api.faults import handle_errors
from serve.api.hooks import (
    check_applicant_keys,
    observe,
    record_refusals,
    refuse_long_headers,
    refuse_other_spellings,
    require_keys,
)
from serve.api.pages import app_pages, docs_pages, documents
from serve.keys import Keys
from serve.metrics.observer import Observer
from serve.metrics.tracing import make_tracer
from serve.records.prediction_log import PredictionLog
from serve.settings import Settings
from serve.shadow.shadow import make_shadow
from serve.store.live import LiveModel
from serve.store.store import open_store

ROOM_FACTOR = 12  # memory for the parsed bodies of all requests, as a multiple of the largest batch


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application. Without settings it reads the environment. Raises SettingsError."""
    settings = settings or Settings.from_environment(os.environ)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    model = LiveModel(open_store(settings))
    tracer = make_tracer(os.environ)
    observer = Observer(settings.request_log, settings.revision, tracer)
    keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
    prediction_log = PredictionLog(settings, observer.recorded) if settings.prediction_log else None
    shadow = make_shadow(settings, observer.tallies)
    model.on_swap = observer.swapped
    app.extensions |= {"settings": settings, "live_model": model, "observer": observer, "keys": keys}
    app.extensions |= {"prediction_log": prediction_log, "shadow": shadow, "tracer": tracer, "stopping": Event()}
    share_room(app, ROOM_FACTOR * settings.max_batch_bytes)
    _add_hooks(app, settings, observer, keys, prediction_log)
    app.url_map.converters["model"] = v1.ModelName
    for module in (status, decision, batch, open_inference, v1, mlflow_scoring):
        app.register_blueprint(module.blueprint)
    for blueprint in (app_pages, docs_pages, documents):
        app.register_blueprint(blueprint)
    v1.add_vertex_routes(app, settings)
    handle_errors(app)
    # The verification of a new file takes longer than a start may: the last good model answers meanwhile.
    unverified = model.refresh(may_verify=False)
    model.watch(settings.poll_seconds, at_once=unverified)
    if shadow:
        shadow.start(settings.poll_seconds)
    return app


def _add_hooks(
    app: Flask, settings: Settings, observer: Observer, keys: Keys | None, prediction_log: PredictionLog | None
) -> None:
    """Add what runs before each request, in this order, and after it, in the reverse order."""
    observe(app, observer)
    if settings.cors_origins:
        allow_origins(app, settings.cors_origins)  # before keys: browsers send none with a preflight
    if keys:
        require_keys(app, keys, observer)
    if prediction_log:
        record_refusals(app, prediction_log.refusals)
    check_applicant_keys(app)
    refuse_other_spellings(app)
    refuse_long_headers(app)
    compress_responses(app)
