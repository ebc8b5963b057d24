"""`/api/v2/predict`: the decision about one application, as label and code."""

from flask import Blueprint, Response

from serve.api.body import read_json, respond
from serve.api.recording import loaded_model, name_decision, record_decision

blueprint = Blueprint("predict", __name__)


@blueprint.post("/api/v2/predict")
def predict() -> Response:
    """Decide one application."""
    loaded = loaded_model()
    application = read_json()
    X = loaded.scorer.contract.encode(application)
    decision = loaded.scorer.answer_row(X)
    decision_id = record_decision(loaded, decision, X, application)
    answer = respond({"prediction": decision.label, "prediction_code": decision.code})
    return name_decision(answer, loaded, decision_id)
