"""`/api/v2/predict` and `/api/v2/decision`: one application, decided briefly or with reasons and counterfactuals."""

from collections.abc import Callable
from math import isnan, log
from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from serve.api.body import read_choice, read_json, respond
from serve.api.recording import loaded_model, name_decision, record_decision
from serve.contract.feature import LANGUAGES
from serve.model.counterfactual import find_counterfactuals
from serve.model.reasons import explain_decision
from serve.model.scorer import Decision, name_band
from serve.store.live import Loaded

LONGEST_ACCEPT_LANGUAGE = 500  # characters; a browser sends up to 100
blueprint = Blueprint("decision", __name__)

Write = Callable[[Callable[[str], str]], Any]  # takes a text by language, returns the document's form of it


@blueprint.post("/api/v2/predict")
def predict() -> Response:
    """Decide one application; answer label and code."""
    loaded = loaded_model()
    application = read_json()
    X = loaded.scorer.contract.encode(application)
    decision = loaded.scorer.answer_row(X)
    decision_id = record_decision(loaded, decision, X, application)
    response = respond({"prediction": decision.label, "prediction_code": decision.code})
    return name_decision(response, loaded, decision_id)


@blueprint.post("/api/v2/decision")
def decide() -> Response:
    """Decide one application; answer probability, band, reasons, counterfactuals and the model's identity too.

    `?values=true` adds the number behind each reason; `?texts=all` gives each text in all languages.
    """
    with_values, all_languages = read_choice("values", "true", "false"), read_choice("texts", "all", "one")
    loaded = loaded_model()
    application = read_json()
    X = loaded.scorer.contract.encode(application)
    decision = loaded.scorer.answer_row(X)
    language = _read_language()
    write = (lambda text: {each: text(each) for each in LANGUAGES}) if all_languages else (lambda text: text(language))
    document = _describe(decision, X, loaded, with_values, write)
    decision_id = record_decision(loaded, decision, X, application, [reason["code"] for reason in document["reasons"]])
    response = name_decision(respond(document | {"decision_id": decision_id}), loaded, decision_id)
    response.headers["Content-Language"] = ", ".join(LANGUAGES) if all_languages else language
    response.vary.add("Accept-Language")
    return response


def _read_language() -> str:
    """Return the caller's preferred language; the default one for a header so long that it would take time to parse."""
    is_long = len(request.headers.get("Accept-Language", "")) > LONGEST_ACCEPT_LANGUAGE
    return LANGUAGES[0] if is_long else request.accept_languages.best_match(LANGUAGES, LANGUAGES[0])


def _describe(decision: Decision, X: np.ndarray, loaded: Loaded, with_values: bool, write: Write) -> dict[str, Any]:
    scorer, pointer = loaded.scorer, loaded.pointer
    features = scorer.contract.scored
    band = name_band(decision.probability, *scorer.review_band)
    explanation, reasons = explain_decision(scorer, loaded.explainer, X, decision.probability)
    changes = find_counterfactuals(scorer, X, loaded.explainer.trees) if band != "approve" else []
    document = {
        "prediction": decision.label,
        "prediction_code": decision.code,
        "prediction_text": write(lambda language: scorer.contract.label_text(decision.code, language)),
        "probability": decision.probability,
        "threshold": decision.threshold,
        "band": band,
        "review_band": list(scorer.review_band),
        "reasons": [reason.to_dict(write) for reason in reasons],
        "counterfactuals": [change.to_dict(write) for change in changes],
    }
    if with_values:  # log-odds of approval, but for the middles
        values = explanation.values.tolist()
        middles = zip(features, loaded.explainer.middles.tolist(), strict=True)
        document["explanation"] = {
            "method": f"interventional Shapley values against {len(scorer.background)} weighted background rows",
            "base": explanation.base,
            "threshold": log(scorer.threshold / (1 - scorer.threshold)),
            "contributions": {feature.name: value for feature, value in zip(features, values, strict=True)},
            "error": explanation.error,
            "middles": {
                each.name: value for each, value in middles if each.type in ("number", "integer") and not isnan(value)
            },
        }
    identity = {"name": pointer.name, "alias": pointer.alias, "version": pointer.version, "sha256": scorer.sha256}
    return document | {"model": identity}
