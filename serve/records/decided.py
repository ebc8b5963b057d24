"""Decisions: as answers hand them to the background threads of the prediction log and the shadow, and as log lines."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import groupby, repeat
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from serve import strict_json
from serve.contract.feature import Feature
from serve.records.log_file import DAY, encode_lines
from serve.store.live import Loaded

# One decision of the fast lane, a tuple since there are thousands a second: the first fields of `Decided`.
Row = tuple[float, str, str, Loaded, bytes, float, int, float, bytes | None]
# Values that many lines share are encoded once, as one key: `route` is followed by the model's identity, `code` by
# label and band.
_HEAD, _TAIL = ("time", "decision_id", "route"), ("probability", "code", "reasons", "applicant", "latency_ms")
_BANDS = ("decline", "refer", "approve")  # by how many ends of the review band a probability reaches


class Decided(msgspec.Struct, frozen=True, gc=False):
    """The n decisions of one answer.

    at: unix time.   X: (n, F) float64, or its bytes.   p, codes: n.   seconds: from the request to the decision.
    applicant: the key in the request.   monitored: (n,) float64 for each feature in the request, NaN = unknown.
    many: a batch, whose rows have the id `<decision_id>.<number>`, numbered from `first`.
    """

    at: float
    decision_id: str
    route: str
    loaded: Loaded
    X: Any
    p: list[float]
    codes: list[int]
    seconds: float
    applicant: bytes | None = None
    many: bool = False
    monitored: Mapping[str, np.ndarray] | None = None
    reasons: list[str] | None = None
    first: int = 0

    def split(self, most: int) -> Iterator["Decided"]:
        """Yield parts of at most `most` rows."""
        if len(self.p) <= most:
            yield self
            return
        for start in range(0, len(self.p), most):
            part = slice(start, start + most)
            monitored = {name: values[part] for name, values in (self.monitored or {}).items()}
            rows = {"X": self.X[part], "p": self.p[part], "codes": self.codes[part], "monitored": monitored}
            yield msgspec.structs.replace(self, first=start, **rows)

    def ids(self) -> list[str]:
        """Return the id of each row."""
        if not self.many:
            return [self.decision_id]
        return [f"{self.decision_id}.{row}" for row in range(self.first, self.first + len(self.p))]


def show_times(times: Iterable[float]) -> list[datetime | str]:
    """Return unix times as values that JSON writes in UTC, ISO 8601, with microseconds."""
    shown = [*map(datetime.fromtimestamp, times, repeat(UTC))]
    # msgspec would omit a fraction of zero.
    return [each if each.microsecond else f"{each:%Y-%m-%dT%H:%M:%S}.000000Z" for each in shown]


def group_rows(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows in groups of one model and one day each."""
    return [[*group] for _, group in groupby(rows, lambda row: (id(row[3]), row[0] // DAY))]


def use_batch_scheduling() -> None:
    """Let the calling background thread wake without preempting a thread that answers, on systems that support it.

    A lower priority would do harm: the thread may hold the interpreter's lock while it waits for the processor.
    """
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def make_decision_id() -> str:
    """Return a UUIDv7: ids sort by time. Source: RFC 9562, section 5.7."""
    random = os.urandom(10).hex()
    time_digits = f"{time.time_ns() // 1_000_000:012x}"
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{time_digits[:8]}-{time_digits[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"


class LineWriter:
    """Writes the lines of one model's decisions, from any thread."""

    def __init__(self, loaded: Loaded, hash_key: Callable[[bytes], str]) -> None:
        """hash_key: hashes an applicant's key; its errors are raised by the methods."""
        self.loaded = loaded
        self._contract = contract = loaded.scorer.contract
        inputs = [f"input.{feature.name}" for feature in contract.scored]
        keys = [*_HEAD, *inputs, *_TAIL, *(f"monitored.{each.name}" for each in contract.monitored)]
        rename = {f"f{number}": key for number, key in enumerate(keys)}  # attributes need Python names
        fields = [(field, Any, msgspec.UNSET) for field in rename]
        self._line = msgspec.defstruct("Line", fields, rename=rename, gc=False)
        self._read = Struct(f"{len(inputs)}d")
        self._others = [(column, each) for column, each in enumerate(contract.scored) if each.type != "number"]
        self._low, self._high = loaded.scorer.review_band
        labels = (contract.label(0), contract.label(1))
        self._codes = [[_join(code, {"label": labels[code], "band": band}) for band in _BANDS] for code in (0, 1)]
        pointer, sha256 = loaded.pointer, loaded.scorer.sha256
        identity = {"model_name": pointer.name, "model_version": pointer.version, "model_sha256": sha256}
        identity["contract"] = contract.fingerprint
        self._head = cache(lambda route: _join(route, identity))
        self._hash = lambda key: None if key is None else hash_key(key)

    def write_one(self, row: Row) -> bytes:
        """Return the line of one row, several times as fast as `write_rows` would."""
        at, decision_id, route, _, X, p, code, seconds, key = row
        values: list[Any] = [*self._read.unpack(X)]
        for column, feature in self._others:
            number = values[column]
            values[column] = int(number) if feature.type == "integer" and number == number else feature.decode(number)
        code_field = self._codes[code][(p >= self._low) + (p >= self._high)]
        tail = (p, code_field, None, self._hash(key), _milliseconds(seconds))
        return encode_lines([self._line(*show_times([at]), decision_id, self._head(route), *values, *tail)])

    def write_rows(self, rows: Sequence[Row]) -> bytes:
        """Return the lines of rows of this model."""
        at, ids, routes, _, X, p, codes, seconds, keys = zip(*rows, strict=True)
        head = (show_times(at), ids, map(self._head, routes))
        tail = (repeat(None), map(self._hash, keys), [int(each * 1e6 + 0.5) / 1000 for each in seconds])
        return self._write(head, b"".join(X), p, codes, tail)

    def write(self, decided: Decided) -> bytes:
        """Return the lines of one answer of this model."""
        head = (repeat(*show_times([decided.at])), decided.ids(), repeat(self._head(decided.route)))
        shared = (decided.reasons, self._hash(decided.applicant), _milliseconds(decided.seconds))
        monitored = [_show_monitored(each, decided) for each in self._contract.monitored] if decided.monitored else []
        return self._write(head, decided.X, decided.p, decided.codes, [*map(repeat, shared), *monitored])

    def _write(self, head: Iterable, X: Any, p: Sequence[float], codes: Sequence[int], tail: Iterable) -> bytes:
        """head, tail: the columns before the features and after `code`."""
        # Column by column, since a loop over rows would hold the interpreter's lock longer, and delay answers.
        values: list[Sequence[Any]] = [*zip(*self._read.iter_unpack(X), strict=True)]
        for column, feature in self._others:
            values[column] = _decode(feature, values[column])
        low, high, by_code = self._low, self._high, self._codes
        code_fields = [by_code[code][(each >= low) + (each >= high)] for code, each in zip(codes, p, strict=True)]
        return encode_lines([*map(self._line, *head, *values, p, code_fields, *tail)])


def _show_monitored(feature: Feature, decided: Decided) -> Iterable[Any]:
    """Return the values of a monitored feature; the line omits the key of an unknown value."""
    numbers = decided.monitored.get(feature.name, np.full(len(decided.p), np.nan)).tolist()
    return [msgspec.UNSET if value is None else value for value in map(feature.decode, numbers)]


def _decode(feature: Feature, numbers: Sequence[float]) -> Sequence[Any]:
    """Return the values of many floats, as `Feature.decode` does for one."""
    if feature.type == "integer":
        with suppress(ValueError):  # a NaN can't become an integer
            return [*map(int, numbers)]
    return [*map(feature.decode, numbers)]


def _milliseconds(seconds: float) -> float:
    """Return milliseconds, rounded to the microsecond; faster than `round`."""
    return int(seconds * 1e6 + 0.5) / 1000


def _join(value: Any, keys: dict[str, str]) -> msgspec.Raw:
    """Return a value as JSON, followed by more keys of the same object."""
    return msgspec.Raw(strict_json.dumps(value) + b"," + strict_json.dumps(keys)[1:-1])
