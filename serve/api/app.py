"""`create_app` puts the Flask application together."""

import os

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
from serve.api.parts import Parts, make_parts
from serve.settings import Settings

ROOM_FACTOR = 12  # memory for the parsed bodies of all requests, as a multiple of the largest batch


def create_app(settings: Settings | None = None, parts: Parts | None = None) -> Flask:
    """Return the WSGI application. Without settings it reads the environment. Raises SettingsError.

    parts: those that it is about; without, they are made.
    """
    parts = parts or make_parts(settings or Settings.from_environment(os.environ))
    settings = parts.settings
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions |= vars(parts)
    share_room(app, ROOM_FACTOR * settings.max_batch_bytes)
    _add_hooks(app, parts)
    app.url_map.converters["model"] = v1.ModelName
    for module in (status, decision, batch, open_inference, v1, mlflow_scoring):
        app.register_blueprint(module.blueprint)
    for blueprint in (app_pages, docs_pages, documents):
        app.register_blueprint(blueprint)
    v1.add_vertex_routes(app, settings)
    handle_errors(app)
    return app


def _add_hooks(app: Flask, parts: Parts) -> None:
    """Add what runs before each request, in this order, and after it, in the reverse order."""
    observe(app, parts.observer)
    if parts.settings.cors_origins:
        allow_origins(app, parts.settings.cors_origins)  # before keys: browsers send none with a preflight
    if parts.keys:
        require_keys(app, parts.keys, parts.observer)
    if parts.prediction_log:
        record_refusals(app, parts.prediction_log.refusals)
    check_applicant_keys(app)
    refuse_other_spellings(app)
    refuse_long_headers(app)
    compress_responses(app)
