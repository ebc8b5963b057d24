"""Liveness and readiness."""

from flask import Blueprint, Response, current_app
from werkzeug.exceptions import ServiceUnavailable

from serve.api import loaded_model, respond

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> Response:
    """200 while the process answers at all."""
    return respond({"status": "live"})


@blueprint.get("/ready")
def ready() -> Response:
    """200 with a model; 503 without, or when the server is about to end."""
    loaded_model()
    if current_app.extensions["stopping"].is_set():
        raise ServiceUnavailable("the server is stopping")
    return respond({"status": "ready"})
