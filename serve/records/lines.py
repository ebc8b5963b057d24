"""The line of each decision in the prediction log."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from serve import strict_json
from serve.contract.feature import Feature
from serve.records.decided import Decided, Row, show_time, show_times
from serve.store.live import Loaded

# What is the same in many lines is one field, written once: `route` has the model's identity behind it, `code` has
# label and band.
_HEAD = ("time", "decision_id", "route")
_TAIL = ("probability", "code", "reasons", "applicant", "latency_ms")
_BANDS = ("decline", "refer", "approve")  # by how many ends of the review band a probability has reached
_encode_lines = msgspec.json.Encoder().encode_lines


class LineWriter:
    """Writes the lines of one model's decisions, from any thread."""

    def __init__(self, loaded: Loaded, hash_key: Callable[[bytes], str]) -> None:
        """hash_key: of an applicant's key; what it raises, each method raises."""
        self.loaded = loaded
        self._contract = contract = loaded.scorer.contract
        inputs = [f"input.{feature.name}" for feature in contract.scored]
        self._line = _make_line([*_HEAD, *inputs, *_TAIL], [f"monitored.{each.name}" for each in contract.monitored])
        self._read = Struct(f"{len(inputs)}d")
        self._others = [(column, each) for column, each in enumerate(contract.scored) if each.type != "number"]
        self._low, self._high = loaded.scorer.review_band
        self._outcomes = [
            [_join(code, {"label": contract.label(code), "band": band}) for band in _BANDS] for code in (0, 1)
        ]
        self._identity = _write_identity(loaded)
        self._heads: dict[str, msgspec.Raw] = {}
        self._hash = lambda key: None if key is None else hash_key(key)

    def write_one(self, row: Row) -> bytes:
        """Return the line of one row. What writes many takes several times as long for it."""
        at, decision_id, route, _, X, p, code, seconds, key = row
        values: list[Any] = [*self._read.unpack(X)]
        for column, feature in self._others:
            number = values[column]
            values[column] = int(number) if feature.type == "integer" and number == number else feature.decode(number)
        outcome = self._outcomes[code][(p >= self._low) + (p >= self._high)]
        tail = (p, outcome, None, self._hash(key), _show_latency(seconds))
        return _encode_lines([self._line(show_time(at), decision_id, self._head(route), *values, *tail)])

    def write_rows(self, rows: Sequence[Row]) -> bytes:
        """Return the lines of rows of this model."""
        at, ids, routes, _, X, p, codes, seconds, keys = zip(*rows, strict=True)
        said = (show_times(at), ids, map(self._head, routes))
        rest = (repeat(None), map(self._hash, keys), [int(each * 1e6 + 0.5) / 1000 for each in seconds])
        return self._write(said, b"".join(X), p, codes, rest)

    def write(self, decided: Decided) -> bytes:
        """Return the lines of one answer of this model."""
        said = (repeat(show_time(decided.at)), decided.ids(), repeat(self._head(decided.route)))
        rest = (decided.reasons, self._hash(decided.applicant), _show_latency(decided.seconds))
        monitored = [self._show(each, decided) for each in self._contract.monitored] if decided.monitored else []
        return self._write(said, decided.X, decided.p, decided.codes, [*map(repeat, rest), *monitored])

    def _write(
        self,
        said: Iterable[Iterable[Any]],
        X: Any,
        p: Sequence[float],
        codes: Sequence[int],
        rest: Iterable[Iterable[Any]],
    ) -> bytes:
        # By columns, as a row has no step of its own in Python then: what answers is not to wait for this.
        values: list[Sequence[Any]] = [*zip(*self._read.iter_unpack(X), strict=True)]
        for column, feature in self._others:
            values[column] = _decode(feature, values[column])
        low, high, outcomes = self._low, self._high, self._outcomes
        ends = [outcomes[code][(each >= low) + (each >= high)] for code, each in zip(codes, p, strict=True)]
        return _encode_lines([*map(self._line, *said, *values, p, ends, *rest)])

    def _head(self, route: str) -> msgspec.Raw:
        head = self._heads.get(route)
        if head is None:
            head = self._heads[route] = _join(route, self._identity)
        return head

    def _show(self, feature: Feature, decided: Decided) -> Iterable[Any]:
        """Return the values of a monitored feature; where it is unknown the line has no such key."""
        numbers = decided.monitored.get(feature.name, np.full(len(decided.p), np.nan)).tolist()
        return [msgspec.UNSET if value is None else value for value in map(feature.decode, numbers)]


def _decode(feature: Feature, numbers: Sequence[float]) -> Sequence[Any]:
    """Do `Feature.decode` to many floats."""
    if feature.type == "integer":
        try:
            return [*map(int, numbers)]
        except ValueError:  # NaN is no integer
            pass
    return [*map(feature.decode, numbers)]


def _show_latency(seconds: float) -> float:
    """Return milliseconds, to the microsecond; `round` would take longer."""
    return int(seconds * 1e6 + 0.5) / 1000


def _make_line(names: list[str], optional: list[str]) -> type[msgspec.Struct]:
    """Return the class of a line; whatever a feature is called, the attribute needs a Python name."""
    fields: list[Any] = [(f"f{number}", Any) for number in range(len(names))]
    fields += [(f"m{number}", Any, msgspec.UNSET) for number in range(len(optional))]
    keys = dict(zip([field[0] for field in fields], [*names, *optional], strict=True))
    return msgspec.defstruct("Line", fields, rename=keys, gc=False)


def _write_identity(loaded: Loaded) -> dict[str, str]:
    pointer, scorer = loaded.pointer, loaded.scorer
    identity = {"model_name": pointer.name, "model_version": pointer.version, "model_sha256": scorer.sha256}
    return identity | {"contract": scorer.contract.fingerprint}


def _join(value: Any, keys: dict[str, str]) -> msgspec.Raw:
    """Return a value in JSON, and the keys that follow it in an object."""
    return msgspec.Raw(strict_json.dumps(value) + b"," + strict_json.dumps(keys)[1:-1])
