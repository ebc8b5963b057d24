"""The service's own interface: `/`, `/api/v2/predict`, `/api/v2/model`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable, UnsupportedMediaType

from serve import strict_json
from serve.applicant import HEADER
from serve.decided import Decided
from serve.decision_id import make_decision_id
from serve.errors import JSONError
from serve.live import LiveModel, Loaded
from serve.prediction_log import PredictionLog
from serve.scorer import Decision
from serve.settings import Settings
from serve.shadow import Shadow

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


def name_decision(response: Response, loaded: Loaded, decision_id: str) -> Response:
    """Add the headers that name a decision, or a batch of them, and the model behind it."""
    response.headers["X-Decision-Id"] = decision_id
    response.headers["X-Model-Version"] = loaded.pointer.version
    response.headers["X-Model-Sha256"] = loaded.scorer.sha256
    return response


@dataclass(frozen=True)
class Rows:
    """The decisions of many applications: (n,) probabilities and (n,) codes."""

    p: np.ndarray
    codes: np.ndarray
    decision_id: str


def decide_rows(loaded: Loaded, X: np.ndarray, monitored: Mapping[str, np.ndarray] | None = None) -> Rows:
    """Decide (n, F) encoded rows; the decisions are put on record and counted. Raises ServiceUnavailable."""
    p = loaded.scorer.score(X)
    codes = loaded.scorer.decide(p)
    decision_id = make_decision_id()
    _record(loaded, decision_id, X, p, codes, monitored=monitored, many=True)
    approved = int(codes.sum())
    for code, count in ((0, len(codes) - approved), (1, approved)):
        if count:
            current_app.extensions["observer"].decided(loaded, code, count)
    return Rows(p, codes, decision_id)


def settle(
    loaded: Loaded, decision: Decision, X: np.ndarray, application: Mapping[str, Any], reasons: list[str] | None = None
) -> str:
    """Put the decision about one application on record, count it, and return its id. Raises ServiceUnavailable."""
    decision_id = make_decision_id()
    monitored = loaded.scorer.contract.encode_monitored(application)
    _record(loaded, decision_id, X, [decision.probability], [decision.code], monitored=monitored, reasons=reasons)
    current_app.extensions["observer"].decided(loaded, decision.code)
    return decision_id


def _record(loaded: Loaded, decision_id: str, X: np.ndarray, p: Any, codes: Any, **more: Any) -> None:
    """Put decisions of this request into the prediction log and before the shadow, where there are such. Raises
    ServiceUnavailable.
    """
    log: PredictionLog | None = current_app.extensions["prediction_log"]
    shadow: Shadow | None = current_app.extensions["shadow"]
    if log is None and shadow is None:
        return
    seconds, key = time.perf_counter() - g.begun, request.headers.get(HEADER)
    applicant = None if key is None else key.encode("latin-1")
    lists = (np.asarray(p).tolist(), np.asarray(codes).tolist())
    decided = Decided(
        time.time(), decision_id, request.url_rule.rule, loaded, X, *lists, seconds, applicant=applicant, **more
    )
    if log and not log.take(decided):
        log.refuse(len(p))
        raise ServiceUnavailable("the decision can't be put on record, try again later", retry_after=1)
    if shadow:
        shadow.put(decided)


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
    application = read_json()
    X = loaded.scorer.contract.encode(application)
    decision = loaded.scorer.answer_row(X)
    decision_id = settle(loaded, decision, X, application)
    answer = respond({"prediction": decision.label, "prediction_code": decision.code})
    return name_decision(answer, loaded, decision_id)


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
