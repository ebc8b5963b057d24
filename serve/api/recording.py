"""Decides with the live model; records and counts each decision."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from flask import Response, current_app, g, request
from werkzeug.exceptions import NotFound, ServiceUnavailable

from serve.model.scorer import Decision
from serve.records.applicant import HEADER
from serve.records.decided import Decided, make_decision_id
from serve.records.prediction_log import PredictionLog
from serve.settings import Settings
from serve.shadow.shadow import Shadow
from serve.store.live import LiveModel, Loaded

NO_MODEL = "Modelo não está disponível. Verifique os logs e se um modelo possui o alias '{alias}'."


def live_model() -> LiveModel:
    """Return the holder of the model that this application answers with."""
    return current_app.extensions["live_model"]


def loaded_model() -> Loaded:
    """Return the loaded model. Raises ServiceUnavailable when there is none."""
    loaded = live_model().current
    if loaded is None:
        settings: Settings = current_app.extensions["settings"]
        raise ServiceUnavailable(NO_MODEL.format(alias=settings.model_alias))
    return loaded


def ready_model() -> Loaded:
    """Return the loaded model. Raises ServiceUnavailable without one, and while the server is stopping."""
    loaded = loaded_model()
    if current_app.extensions["stopping"].is_set():
        raise ServiceUnavailable("the server is stopping")
    return loaded


def check_name(loaded: Loaded, name: str, version: str | None = None) -> Loaded:
    """Return the loaded model. Raises NotFound unless it has this name, its registry's or the public one, and this
    version.
    """
    settings: Settings = current_app.extensions["settings"]
    if name not in (loaded.pointer.name, settings.public_name):
        raise NotFound("unknown model")
    if version not in (None, loaded.pointer.version):
        raise NotFound("unknown version of the model, or one that does not answer now")
    return loaded


def public_name(loaded: Loaded) -> str:
    """Return the name by which hosts know the model: SERVE_PUBLIC_NAME, else its name in the registry."""
    return current_app.extensions["settings"].public_name or loaded.pointer.name


def name_decision(response: Response, loaded: Loaded, decision_id: str) -> Response:
    """Add the headers that identify a decision (or a batch of decisions) and its model."""
    response.headers["X-Decision-Id"] = decision_id
    response.headers["X-Model-Version"] = loaded.pointer.version
    response.headers["X-Model-Sha256"] = loaded.scorer.sha256
    return response


def decide_rows(
    loaded: Loaded,
    X: np.ndarray,
    monitored: Mapping[str, np.ndarray] | None = None,
    reasons: list[list[str]] | None = None,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Decide, record and count (n, F) encoded rows; return (n,) probabilities, (n,) codes and the decision id.

    reasons: the codes of the principal reasons for each row, for the record.
    Raises ServiceUnavailable when the decisions can't be recorded.
    """
    p = loaded.scorer.score(X)
    codes = loaded.scorer.decide(p)
    decision_id = make_decision_id()
    _record(loaded, decision_id, X, p, codes, monitored=monitored, reasons=reasons, many=True)
    approved = int(codes.sum())
    for code, count in ((0, len(codes) - approved), (1, approved)):
        if count:
            current_app.extensions["observer"].decided(loaded, code, count)
    return p, codes, decision_id


def record_decision(
    loaded: Loaded, decision: Decision, X: np.ndarray, application: Mapping[str, Any], reasons: list[str] | None = None
) -> str:
    """Record and count the decision about one application; return its id. Raises ServiceUnavailable."""
    decision_id = make_decision_id()
    monitored = loaded.scorer.contract.encode_monitored(application)
    _record(loaded, decision_id, X, [decision.probability], [decision.code], monitored=monitored, reasons=reasons)
    current_app.extensions["observer"].decided(loaded, decision.code)
    return decision_id


def _record(loaded: Loaded, decision_id: str, X: np.ndarray, p: Any, codes: Any, **optional: Any) -> None:
    """Pass this request's decisions to the prediction log and to the shadow, if there are any. `optional` holds further
    fields of `Decided`. Raises ServiceUnavailable.
    """
    log: PredictionLog | None = current_app.extensions["prediction_log"]
    shadow: Shadow | None = current_app.extensions["shadow"]
    if log is None and shadow is None:
        return
    seconds, key = time.perf_counter() - g.begun, request.headers.get(HEADER)
    optional["applicant"] = key.encode("latin-1") if key is not None and log else None  # the shadow needs none
    lists = np.asarray(p).tolist(), np.asarray(codes).tolist()
    decided = Decided(time.time(), decision_id, request.url_rule.rule, loaded, X, *lists, seconds, **optional)
    if log and not log.take(decided):
        raise ServiceUnavailable("the decision can't be put on record, try again later", retry_after=1)
    if shadow:
        shadow.put(decided)
