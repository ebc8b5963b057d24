"""Decides with the model that is live, and puts each decision on record."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Response, current_app, g, request
from werkzeug.exceptions import ServiceUnavailable

from serve.model.scorer import Decision
from serve.records.applicant import HEADER
from serve.records.decided import Decided, make_decision_id
from serve.records.prediction_log import PredictionLog
from serve.settings import Settings
from serve.shadow.shadow import Shadow
from serve.store.live import LiveModel, Loaded

NO_MODEL = "Modelo não está disponível. Verifique os logs e se um modelo possui o alias '{alias}'."


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


def record_decision(
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
        raise ServiceUnavailable("the decision can't be put on record, try again later", retry_after=1)
    if shadow:
        shadow.put(decided)
