"""The fast lane: answers a valid prediction from the bytes of its body, without Flask.

Flask's dispatch costs several times what decoding, checking and scoring do. The route `/api/v2/predict` stays the
reference: on any error, doubt or monitored feature the lane returns None, and Flask answers the unchanged request.
"""

from collections.abc import Mapping
from time import perf_counter, time

import msgspec
import numpy as np

from serve import strict_json
from serve.api.hooks import valid_traceparent
from serve.contract.feature import NAN
from serve.keys import Keys
from serve.metrics.observer import Observer
from serve.records.applicant import HEADER, is_key
from serve.records.decided import Decided, Row, make_decision_id
from serve.records.prediction_log import PredictionLog
from serve.shadow.shadow import Shadow
from serve.store.live import LiveModel, Loaded

ROUTE = "/api/v2/predict"
TARGET = ROUTE.encode()
CONTENT_TYPES = frozenset(b"application/json" + end for end in (b"", b"; charset=utf-8", b"; charset=UTF-8"))
APPLICANT = HEADER.lower().encode()
NO_HEADERS: Mapping[bytes, bytes] = {}
_decode = msgspec.json.Decoder().decode


class Lane:
    """Answers predictions with the live model."""

    def __init__(
        self,
        live: LiveModel,
        observer: Observer,
        keys: Keys | None = None,
        log: PredictionLog | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        self._live, self._observer, self._keys, self._log, self._shadow = live, observer, keys, log, shadow
        self._unrecorded = log is None and shadow is None
        self._prepared: _Prepared | None = None

    def __call__(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes], body: bytes) -> bytes | None:
        """Return the response (headers and body) to a request, or None: Flask has to answer."""
        if (
            target != TARGET
            or method != b"POST"
            or headers.get(b"content-type") not in CONTENT_TYPES
            or b"content-encoding" in headers
        ):
            return None
        return self.predict(body, headers)

    def predict(self, body: bytes, headers: Mapping[bytes, bytes] = NO_HEADERS) -> bytes | None:
        """Return the response (headers and body) to a JSON body, or None: Flask has to answer."""
        loaded = self._live.current
        if loaded is None:
            return None
        begun = perf_counter()
        key_name = self._keys and self._keys.holder(headers)
        if self._keys and not key_name:
            return None
        prepared = self._prepared
        if prepared is None or prepared.loaded is not loaded:
            prepared = self._prepared = _Prepared(loaded)
        X = prepared.encode(body)
        if X is None:
            return None
        p = loaded.scorer.score_one(X)
        code = 1 if p >= loaded.scorer.threshold else 0
        decision_id = make_decision_id()
        if not self._unrecorded:
            applicant, seconds = headers.get(APPLICANT), perf_counter() - begun
            if not self._record((time(), decision_id, ROUTE, loaded, X.tobytes(), p, code, seconds, applicant)):
                return None
        before, after, end = prepared.answers[code]
        trace = valid_traceparent(headers[b"traceparent"].decode("latin-1")) if b"traceparent" in headers else ""
        if trace:
            after += f"\r\ntraceparent: {trace}".encode()
        answer = b"".join((before, decision_id.encode(), after, end))
        self._observer.decided(loaded, code)
        if key_name:
            self._observer.used_key(key_name)
        version = loaded.pointer.version
        self._observer.answered(ROUTE, "POST", 200, perf_counter() - begun, decision_id, trace, version)
        return answer

    def _record(self, row: Row) -> bool:
        """Pass a decision to the prediction log and to the shadow; return False when the log refuses it."""
        if self._log is not None:
            applicant = row[-1]
            if (applicant is not None and not is_key(applicant)) or not self._log.take_row(row):
                return False
        if self._shadow is not None:
            at, decision_id, route, loaded, X, p, code, seconds, _ = row
            self._shadow.put(Decided(at, decision_id, route, loaded, X, [p], [code], seconds))
        return True


class _Prepared:
    """What the lane prepares for one model: its features as tuples, and both answers without the decision id."""

    def __init__(self, loaded: Loaded) -> None:
        features = loaded.scorer.contract.scored
        self.loaded = loaded
        self._features = {}
        for column, f in enumerate(features):
            indices = {text: float(i) for i, text in enumerate(f.values)} if f.is_category else None
            self._features[f.name] = (column, f.min or 0, f.max or 0, f.type == "integer", indices, f.missing)
        # A feature that may be missing is NaN until the body has it; None marks one that is required.
        self._row: list[float | None] = [NAN if feature.missing else None for feature in features]
        self._X = np.empty((1, len(features)))
        self.answers = [_answer(loaded, code) for code in (0, 1)]

    def encode(self, body: bytes) -> np.ndarray | None:
        """Return (1, F) float64, valid until the next call; None when the body is not a plainly valid application."""
        try:
            application = _decode(body)
        except (ValueError, RecursionError):
            return None
        if type(application) is not dict or b"\\" in body:
            return None
        row, features, texts = self._row.copy(), self._features, 0
        for name, value in application.items():
            feature = features.get(name)
            if feature is None:
                return None
            column, low, high, whole, indices, missing = feature
            kind = type(value)
            if indices is not None and kind is str:
                texts += 1
                row[column] = indices.get(value)
            elif indices is None and (kind is float or kind is int):
                if not low <= value <= high or (whole and value != int(value)):
                    return None
                row[column] = value
            elif value is not None or not missing:
                return None
        # Without a backslash, two quotes for each decoded name and text leave room for no name that stands twice.
        if None in row or body.count(b'"') != 2 * (len(application) + texts):
            return None
        self._X[0] = row
        return self._X


def _answer(loaded: Loaded, code: int) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a response: before the decision id, after it, and at the end."""
    body = strict_json.dumps({"prediction": loaded.scorer.contract.label(code), "prediction_code": code})
    before = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Decision-Id: "
    after = f"\r\nX-Model-Version: {loaded.pointer.version}\r\nX-Model-Sha256: {loaded.scorer.sha256}"
    return before.encode(), after.encode(), b"\r\n\r\n" + body
