"""The state of the service: `/`, liveness and readiness."""

from flask import Blueprint, Response, current_app
from werkzeug.exceptions import ServiceUnavailable

from serve.api.body import respond
from serve.api.recording import live_model, loaded_model
from serve.settings import Settings

blueprint = Blueprint("status", __name__)


@blueprint.get("/")
def status() -> Response:
    """Say whether a model is loaded, and which."""
    settings: Settings = current_app.extensions["settings"]
    loaded = live_model().current
    named = loaded.pointer if loaded else None
    return respond(
        {
            "status": "online",
            "model_loaded": loaded is not None,
            "model_name": named.name if named else settings.model_name,
            "model_alias": named.alias if named else settings.model_alias,
        }
    )


@blueprint.get("/health/live")
def live() -> Response:
    """200 while the process answers at all."""
    return respond({"status": "live"})


@blueprint.get("/health/ready")
def ready() -> Response:
    """200 with a model; 503 without, or when the server is about to end."""
    loaded_model()
    if current_app.extensions["stopping"].is_set():
        raise ServiceUnavailable("the server is stopping")
    return respond({"status": "ready"})
