"""The service's own interface: `/`, `/api/v2/predict`, `/api/v2/model`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable, UnsupportedMediaType

from serve import strict_json
from serve.decision_id import make_decision_id
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


def read_json() -> Any:
    """Return the body of this request. Raises UnsupportedMediaType, RequestEntityTooLarge, JSONError."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("expected Content-Type: application/json")
    return strict_json.loads(read_body())


def read_body() -> bytes:
    """Return the bytes of this request's body. Raises RequestEntityTooLarge, JSONError."""
    try:
        body = request.get_data(cache=False)
        if request.content_length is None:
            request.stream.read(1)  # a body in chunks is cut at the limit without a word; only reading on raises
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 (each WSGI server has a class of its own for a body that can't be read)
        raise JSONError("the body can't be read") from None
    return body


def name_decision(response: Response, loaded: Loaded) -> Response:
    """Add the headers that name a decision, or a batch of them, and the model behind it."""
    response.headers["X-Decision-Id"] = this_decision()
    response.headers["X-Model-Version"] = loaded.pointer.version
    response.headers["X-Model-Sha256"] = loaded.scorer.sha256
    return response


def shade(loaded: Loaded, X: np.ndarray, p: Sequence[float], codes: Sequence[int], many: bool = False) -> None:
    """Have the challenger score, later, what is answered now; where there is a shadow at all."""
    if shadow := current_app.extensions["shadow"]:
        shadow.put(loaded, X, p, codes, this_decision(), many)


def this_decision() -> str:
    """Return the id of the decision, or of the batch of them, that this request is answered with."""
    if "decision_id" not in g:
        g.decision_id = make_decision_id()
    return g.decision_id


def decide_rows(loaded: Loaded, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) probabilities and (n,) codes of (n, F) encoded rows; each decision is counted."""
    p = loaded.scorer.score(X)
    codes = loaded.scorer.decide(p)
    approved = int(codes.sum())
    for code, count in ((0, len(codes) - approved), (1, approved)):
        if count:
            current_app.extensions["observer"].decided(loaded, code, count)
    shade(loaded, X, p, codes, many=True)
    return p, codes


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
    X = loaded.scorer.contract.encode(read_json())
    decision = loaded.scorer.answer_row(X)
    current_app.extensions["observer"].decided(loaded, decision.code)
    shade(loaded, X, (decision.probability,), (decision.code,))
    return name_decision(respond({"prediction": decision.label, "prediction_code": decision.code}), loaded)


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
