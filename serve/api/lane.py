"""The fast lane: from the bytes of a plainly right prediction to the bytes of its answer, past Flask.

Flask's dispatch costs several times what decoding, checking and scoring do. The route in `api.py` stays the reference:
whatever is not plainly right (an error, a doubt, a monitored feature) is not answered here, and goes there unchanged.
"""

from collections.abc import Mapping
from time import perf_counter, time
from typing import Any

import msgspec
import numpy as np

from serve import strict_json
from serve.api.hooks import valid_traceparent
from serve.contract.feature import NAN, Feature
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
        self._alone = log is None and shadow is None
        self._plain: _Plain | None = None

    def __call__(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes], body: bytes) -> bytes | None:
        """Return headers and body of the response to a prediction, or None: Flask has to answer."""
        if (
            target != TARGET
            or method != b"POST"
            or headers.get(b"content-type") not in CONTENT_TYPES
            or b"content-encoding" in headers
        ):
            return None
        return self.predict(body, headers)

    def predict(self, body: bytes, headers: Mapping[bytes, bytes] = NO_HEADERS) -> bytes | None:
        """Return headers and body of the response to a JSON body, or None: Flask has to answer."""
        loaded = self._live.current
        if loaded is None:
            return None
        begun = perf_counter()
        key_name = self._keys and self._keys.holder(headers)
        if self._keys and not key_name:
            return None
        plain = self._plain
        if plain is None or plain.loaded is not loaded:
            plain = self._plain = _Plain(loaded)
        X = plain.encode(body)
        if X is None:
            return None
        p = loaded.scorer.score_one(X)
        code = 1 if p >= loaded.scorer.threshold else 0
        decision_id = make_decision_id()
        if not self._alone:
            applicant, seconds = headers.get(APPLICANT), perf_counter() - begun
            if not self._hand_on((time(), decision_id, ROUTE, loaded, X.tobytes(), p, code, seconds, applicant)):
                return None
        before, after, end = plain.answers[code]
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

    def _hand_on(self, row: Row) -> bool:
        """Put a decision on record and before the shadow; False where it can't be put on record."""
        if self._log is not None:
            applicant = row[-1]
            if applicant is not None and not is_key(applicant):
                return False
            if not self._log.take_row(row):
                return False
        if self._shadow is not None:
            at, decision_id, route, loaded, X, p, code, seconds, _ = row
            self._shadow.put(Decided(at, decision_id, route, loaded, X, [p], [code], seconds))
        return True


class _Plain:
    """What the lane knows of one model: its fields as tuples, and both answers but for the decision id."""

    def __init__(self, loaded: Loaded) -> None:
        contract = loaded.scorer.contract
        self.loaded = loaded
        self._fields = {feature.name: (column, *_bounds(feature)) for column, feature in enumerate(contract.scored)}
        # A feature that may be missing is NaN until it is given; None marks one that may not.
        self._row: list[float | None] = [NAN if feature.missing else None for feature in contract.scored]
        self._X = np.empty((1, len(contract.scored)))
        self.answers = [_answer(loaded, code) for code in (0, 1)]

    def encode(self, body: bytes) -> np.ndarray | None:
        """Return (1, F) float64, valid until the next call, or None when in doubt."""
        try:
            application = _decode(body)
        except (ValueError, RecursionError):
            return None
        if type(application) is not dict or b"\\" in body:
            return None
        row, fields, texts = self._row.copy(), self._fields, 0
        for name, value in application.items():
            field = fields.get(name)
            if field is None:
                return None
            column, low, high, whole, values, missing = field
            kind = type(value)
            if values is not None and kind is str:
                texts += 1
                row[column] = values.get(value)
            elif values is None and (kind is float or kind is int):
                if not low <= value <= high or (whole and value != int(value)):
                    return None
                row[column] = value
            elif value is not None or not missing:
                return None
        # No backslash, and two quotes for each name and text that came out: so no name stood twice.
        if None in row or body.count(b'"') != 2 * (len(application) + texts):
            return None
        self._X[0] = row
        return self._X


def _bounds(feature: Feature) -> tuple[float, float, bool, dict[str, float] | None, bool]:
    values = {text: float(i) for i, text in enumerate(feature.values)} if feature.is_category else None
    return feature.min or 0, feature.max or 0, feature.type == "integer", values, feature.missing


def _answer(loaded: Loaded, code: int) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the decision id, after it, and at the end."""
    document: dict[str, Any] = {"prediction": loaded.scorer.contract.label(code), "prediction_code": code}
    body = strict_json.dumps(document)
    before = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Decision-Id: "
    after = f"\r\nX-Model-Version: {loaded.pointer.version}\r\nX-Model-Sha256: {loaded.scorer.sha256}"
    return before.encode(), after.encode(), b"\r\n\r\n" + body
