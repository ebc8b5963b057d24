"""The fast lane: answers a valid prediction from the bytes of its body, without Flask.

Flask's dispatch costs several times what decoding, checking and scoring do. The route `/api/v2/predict` stays the
reference: on any error, doubt or monitored feature the lane returns None, and Flask answers the unchanged request.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter, time

from serve import strict_json
from serve.contract.decoder import ApplicationDecoder
from serve.keys import Keys
from serve.metrics.correlation import NAMES, NOTHING, Correlation
from serve.metrics.observer import Observer
from serve.model.single_row import SingleRow
from serve.records.applicant import HEADER, is_key
from serve.records.decided import Decided, Row, make_decision_id
from serve.records.prediction_log import PredictionLog
from serve.shadow.shadow import Shadow
from serve.store.live import LiveModel, Loaded

ROUTE = "/api/v2/predict"
TARGET = ROUTE.encode()
CONTENT_TYPES = frozenset(b"application/json" + end for end in (b"", b"; charset=utf-8", b"; charset=UTF-8"))
APPLICANT = HEADER.lower().encode()
CORRELATION = frozenset(name.lower().encode() for name in NAMES)
Answer = Callable[[bytes], bytes | None]  # from a body: headers and body of a 200 response, or None


class Lane:
    """Answers predictions with the live model; one thread at a time."""

    def __init__(
        self,
        live: LiveModel,
        observer: Observer,
        keys: Keys | None = None,
        log: PredictionLog | None = None,
        shadow: Shadow | None = None,
        leaves_origins: bool = False,
    ) -> None:
        """leaves_origins: requests of browsers for pages of other origins are Flask's, which marks their responses."""
        self._live, self._observer, self._keys, self._log, self._shadow = live, observer, keys, log, shadow
        self._leaves_origins = leaves_origins
        self._unrecorded = log is None and shadow is None
        self._prepared: _Prepared | None = None

    def __call__(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Return a function from a body to the response (headers and body), or None: Flask has to answer.

        The function returns None likewise, for a body that Flask has to judge.
        """
        if (
            target != TARGET
            or method != b"POST"
            or headers.get(b"content-type") not in CONTENT_TYPES
            or b"content-encoding" in headers
            or (self._leaves_origins and b"origin" in headers)
        ):
            return None
        applicant = headers.get(APPLICANT)
        if applicant is not None and not is_key(applicant):
            return None
        sent, returned = NOTHING, b""
        if not CORRELATION.isdisjoint(headers):  # reading nothing would take as long as all the rest here
            sent = Correlation.read(lambda name: headers.get(name.encode(), b"").decode("latin-1"))
            returned = "".join(f"\r\n{name}: {value}" for name, value in sent.headers()).encode()
        return partial(self._answer, headers, applicant, sent, returned)

    def _answer(
        self, headers: Mapping[bytes, bytes], applicant: bytes | None, sent: Correlation, returned: bytes, body: bytes
    ) -> bytes | None:
        loaded = self._live.current
        if loaded is None:
            return None
        begun = perf_counter()
        key_name = self._keys and self._keys.holder(headers)
        if self._keys and not key_name:
            return None
        prepared = self._prepared
        if prepared is None or prepared.loaded is not loaded:
            prepared = self._prepared = _Prepared(loaded, self._observer)
        row = prepared.decode(body)
        if row is None:
            return None
        p = prepared.score(row)
        code = 1 if p >= prepared.threshold else 0
        decision_id = make_decision_id()
        if not self._unrecorded:
            seconds = perf_counter() - begun
            if not self._record((time(), decision_id, ROUTE, loaded, row, p, code, seconds, applicant)):
                return None
        before, after, end = prepared.answers[code]
        if key_name:
            self._observer.used_key(key_name)
        seconds = perf_counter() - begun
        prepared.count(code, seconds)
        if self._observer.reports:
            self._observer.report(ROUTE, "POST", 200, seconds, decision_id, loaded.pointer.version, sent)
        return b"".join((before, decision_id.encode(), after, returned, end))

    def _record(self, row: Row) -> bool:
        """Pass a decision to the prediction log and to the shadow; return False when the log refuses it."""
        if self._log is not None and not self._log.take_row(row):
            return False
        if self._shadow is not None:
            at, decision_id, route, loaded, X, p, code, seconds, _ = row
            self._shadow.put(Decided(at, decision_id, route, loaded, X, [p], [code], seconds))
        return True


class _Prepared:
    """What the lane prepares for one model: its parts, and both answers without the decision id."""

    def __init__(self, loaded: Loaded, observer: Observer) -> None:
        scorer = loaded.scorer
        self.loaded, self.threshold = loaded, scorer.threshold
        self.decode = ApplicationDecoder(scorer.contract).decode
        self.score = SingleRow(scorer).score
        self.count = observer.count_decisions(ROUTE, loaded)
        self.answers = [_answer(loaded, code) for code in (0, 1)]


def _answer(loaded: Loaded, code: int) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a response: before the decision id, after it, and at the end."""
    body = strict_json.dumps({"prediction": loaded.scorer.contract.label(code), "prediction_code": code})
    before = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Decision-Id: "
    after = f"\r\nX-Model-Version: {loaded.pointer.version}\r\nX-Model-Sha256: {loaded.scorer.sha256}"
    return before.encode(), after.encode(), b"\r\n\r\n" + body
