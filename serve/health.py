"""Liveness and readiness."""

from flask import Blueprint, Response

from serve.api import loaded_model, respond

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> Response:
    """200 while the process answers at all."""
    return respond({"status": "live"})


@blueprint.get("/ready")
def ready() -> Response:
    """200 with a model; 503 without, in the shape of every error."""
    loaded_model()
    return respond({"status": "ready"})
