"""The state of the service and of its model: `/`, `/health/live`, `/health/ready`, `/api/v2/model`."""

from flask import Blueprint, Response, current_app, request

from serve.api.body import respond
from serve.api.recording import live_model, loaded_model, ready_model
from serve.settings import Settings

blueprint = Blueprint("status", __name__)


@blueprint.get("/")
def status() -> Response:
    """Report whether a model is loaded, and its name; without one, the name that the settings ask for.

    A browser, which asks for HTML first, is sent to the page for people.
    """
    if request.headers.get("Accept", "").lower().startswith("text/html"):  # not parsed: it may be long
        return _vary(Response(status=303, headers={"Location": "app"}))
    settings: Settings = current_app.extensions["settings"]
    loaded = live_model().current
    document = {
        "status": "online",
        "model_loaded": loaded is not None,
        "model_name": loaded.pointer.name if loaded else settings.model_name,
        "model_alias": loaded.pointer.alias if loaded else settings.model_alias,
    }
    return _vary(respond(document))


def _vary(response: Response) -> Response:
    response.vary.add("Accept")  # a cache keeps one answer for browsers and one for programs
    return response


@blueprint.get("/health/live")
def live() -> Response:
    """Answer 200 as long as the process runs."""
    return respond({"status": "live"})


@blueprint.get("/health/ready")
def ready() -> Response:
    """Answer 200 with a model; 503 without one, and while the server is stopping."""
    ready_model()
    return respond({"status": "ready"})


@blueprint.get("/api/v2/model")
def model() -> Response:
    """Describe the loaded model: contract, decision rule, provenance, metrics, gates, verdict; and whether it logs."""
    loaded = loaded_model()
    pointer, scorer = loaded.pointer, loaded.scorer
    document = {
        "name": pointer.name,
        "alias": pointer.alias,
        "version": pointer.version,
        "run": pointer.run,
        "sha256": scorer.sha256,
        "contract": scorer.contract.to_dict(),
        "decision": scorer.decision_rule,
        "provenance": scorer.provenance,
    }
    # Whether what is asked here is kept, so that a page can tell whoever fills in an application.
    document["decisions_logged"] = current_app.extensions["prediction_log"] is not None
    return respond(document | {key: loaded.metadata.get(key) for key in ("metrics", "gates", "verdict")})
