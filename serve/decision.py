"""`/api/v2/decision`: the answer of `/api/v2/predict`, and how it came about."""

from typing import Any

from flask import Blueprint, Response, current_app

from serve.api import loaded_model, name_decision, read_json, respond
from serve.decision_id import make_decision_id
from serve.live import Loaded
from serve.scorer import Decision

blueprint = Blueprint("decision", __name__)


@blueprint.post("/api/v2/decision")
def decide() -> Response:
    """Decide one application, and say how near it was and which model said so."""
    loaded = loaded_model()
    decision, decision_id = loaded.scorer.answer(read_json()), make_decision_id()
    current_app.extensions["observer"].decided(loaded, decision.code)
    return name_decision(respond(_describe(decision, loaded, decision_id)), loaded, decision_id)


def name_band(probability: float, low: float, high: float) -> str:
    """Return what the probability of approval calls for: approve from `high` on, decline below `low`, else refer.

    An empty band (low == high) lies at the threshold: nothing is referred, and the name says what the code says.
    """
    if probability >= high:
        return "approve"
    return "refer" if probability >= low else "decline"


def _describe(decision: Decision, loaded: Loaded, decision_id: str) -> dict[str, Any]:
    pointer, review_band = loaded.pointer, loaded.scorer.review_band
    return {
        "prediction": decision.label,
        "prediction_code": decision.code,
        "probability": decision.probability,
        "threshold": decision.threshold,
        "band": name_band(decision.probability, *review_band),
        "review_band": list(review_band),
        "reasons": [],  # the place of the principal reasons: none are computed yet
        "model": {
            "name": pointer.name,
            "alias": pointer.alias,
            "version": pointer.version,
            "sha256": loaded.scorer.sha256,
        },
        "decision_id": decision_id,
    }
