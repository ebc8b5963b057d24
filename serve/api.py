"""The service's own interface: `/`, `/api/v2/predict`, `/api/v2/model`."""

import os
import time
from typing import Any

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable, UnsupportedMediaType

from serve import strict_json
from serve.errors import JSONError
from serve.live import LiveModel, Loaded
from serve.settings import Settings

NO_MODEL = "Modelo não está disponível. Verifique os logs e se um modelo possui o alias '{alias}'."

blueprint = Blueprint("api", __name__)


def live_model() -> LiveModel:
    """Return the model this application answers with."""
    return current_app.extensions["live_model"]


def loaded_model() -> Loaded:
    """Return the loaded model. Raises ServiceUnavailable when there is none."""
    loaded = live_model().current
    if loaded is None:
        settings: Settings = current_app.extensions["settings"]
        raise ServiceUnavailable(NO_MODEL.format(alias=settings.model_alias))
    return loaded


def respond(document: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(strict_json.dumps(document), status, mimetype="application/json")


def make_decision_id() -> str:
    """Return a UUIDv7: ids sort by time. Source: RFC 9562, section 5.7."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    number = milliseconds << 80 | random & ((1 << 80) - 1)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def identified(response: Response, loaded: Loaded, decision_id: str) -> Response:
    """Return the response with the headers that name the decision and the model."""
    response.headers["X-Decision-Id"] = decision_id
    response.headers["X-Model-Version"] = loaded.pointer.version
    response.headers["X-Model-Sha256"] = loaded.scorer.sha256
    return response


def read_json() -> Any:
    """Return the body of this request. Raises UnsupportedMediaType, RequestEntityTooLarge, JSONError."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("expected Content-Type: application/json")
    try:
        body = request.get_data(cache=False)
        if request.content_length is None:
            request.stream.read(1)  # a body in chunks is cut at the limit without a word; only reading on raises
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 (each WSGI server has a class of its own for a body that can't be read)
        raise JSONError("the body can't be read") from None
    return strict_json.loads(body)


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


@blueprint.post("/api/v2/predict")
def predict() -> Response:
    """Decide one application."""
    loaded = loaded_model()
    decision = loaded.scorer.answer(read_json())
    response = respond({"prediction": decision.label, "prediction_code": decision.code})
    return identified(response, loaded, make_decision_id())


@blueprint.get("/api/v2/model")
def model() -> Response:
    """Describe the model that answers: contract, decision rule, provenance, metrics, gates, verdict."""
    loaded = loaded_model()
    document = {
        "name": loaded.pointer.name,
        "alias": loaded.pointer.alias,
        "version": loaded.pointer.version,
        "run": loaded.pointer.run,
        "sha256": loaded.scorer.sha256,
        "contract": loaded.scorer.contract.to_dict(),
        "decision": loaded.scorer.decision_rule,
        "provenance": loaded.scorer.provenance,
    }
    return respond(document | {key: loaded.facts.get(key) for key in ("metrics", "gates", "verdict")})
