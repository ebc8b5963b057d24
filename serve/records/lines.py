"""The line of each decision in the prediction log."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from itertools import repeat
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from serve import strict_json
from serve.contract.feature import Feature
from serve.records.decided import Decided, Row, show_times
from serve.records.log_file import encode_lines
from serve.store.live import Loaded

# Values that many lines share are encoded once, as one key: `route` is followed by the model's identity, `code` by
# label and band.
_HEAD, _TAIL = ("time", "decision_id", "route"), ("probability", "code", "reasons", "applicant", "latency_ms")
_BANDS = ("decline", "refer", "approve")  # by how many ends of the review band a probability reaches


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
        reasons = decided.reasons if decided.many and decided.reasons else repeat(decided.reasons)
        shared = (self._hash(decided.applicant), _milliseconds(decided.seconds))
        monitored = [_show_monitored(each, decided) for each in self._contract.monitored] if decided.monitored else []
        return self._write(head, decided.X, decided.p, decided.codes, [reasons, *map(repeat, shared), *monitored])

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
