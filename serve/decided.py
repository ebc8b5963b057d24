"""Decisions as the prediction log keeps them, and the line of each."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, starmap
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from serve import strict_json
from serve.feature import Feature
from serve.live import Loaded
from serve.scorer import name_band

_HEAD = ("time", "decision_id", "route", "model_name")
_TAIL = ("probability", "code", "label", "band", "reasons", "applicant", "latency_ms")
_encode_lines = msgspec.json.Encoder().encode_lines


class Decided(msgspec.Struct, frozen=True, gc=False):
    """The n decisions of one answer. `many` where each has a number behind the id, from `first` on.

    at: unix time.   X: (n, F) float64, or its bytes.   p, codes: n.   seconds: from the request to the decision.
    applicant: the key that came with the request.   monitored: (n,) float64 a feature that was given, NaN = unknown.
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
        """Yield parts of at most so many rows."""
        if len(self.p) <= most:
            yield self
            return
        for start in range(0, len(self.p), most):
            part = slice(start, start + most)
            monitored = {name: values[part] for name, values in (self.monitored or {}).items()}
            lists = {"X": self.X[part], "p": self.p[part], "codes": self.codes[part]}
            yield msgspec.structs.replace(self, first=start, monitored=monitored, **lists)

    def ids(self) -> list[str]:
        """Return the id of each row."""
        if not self.many:
            return [self.decision_id]
        return [f"{self.decision_id}.{row}" for row in range(self.first, self.first + len(self.p))]


class Writer:
    """Writes the lines of one model's decisions."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._contract = contract = loaded.scorer.contract
        self._labels = (contract.label(0), contract.label(1))
        inputs = [f"input.{feature.name}" for feature in contract.scored]
        names = [*_HEAD, *inputs, *_TAIL]
        monitored = [f"monitored.{feature.name}" for feature in contract.monitored]
        # Whatever a feature is called, the attribute needs a Python name.
        fields = [(f"f{number}", Any) for number in range(len(names))]
        fields += [(f"m{number}", Any, msgspec.UNSET) for number in range(len(monitored))]
        keys = dict(zip([field[0] for field in fields], [*names, *monitored], strict=True))
        self._line = msgspec.defstruct("Line", fields, rename=keys, gc=False)
        self._decoders = [_make_decoder(feature) for feature in contract.scored]
        self._row = Struct(f"{len(contract.scored)}d")
        self._identity = msgspec.Raw(_write_identity(loaded))

    def write(self, parts: Sequence[Decided], hash_key: Callable[[bytes], str]) -> bytes:
        """Return the lines of answers of this model. Raises what `hash_key` raises."""
        counts = [len(part.p) for part in parts]
        spread = _spreader(counts)
        # numpy is slow to begin: a single line, as mode `required` writes it, would take several times as long.
        features = zip(*self._row.iter_unpack(b"".join([part.X for part in parts])), strict=True)
        p = list(chain.from_iterable([part.p for part in parts]))
        codes = list(chain.from_iterable([part.codes for part in parts]))
        low, high = self.loaded.scorer.review_band
        applicants = [None if part.applicant is None else hash_key(part.applicant) for part in parts]
        # By columns, as a row has no step of its own in Python then: the lane is not to feel this.
        columns = [
            spread(write_times([part.at for part in parts])),
            list(chain.from_iterable([part.ids() for part in parts])),
            spread([part.route for part in parts]),
            [self._identity] * len(p),
            *[decode(numbers) for decode, numbers in zip(self._decoders, features, strict=True)],
            p,
            codes,
            [self._labels[code] for code in codes],
            [name_band(each, low, high) for each in p],
            spread([part.reasons for part in parts]),
            spread(applicants),
            spread([round(part.seconds * 1000, 3) for part in parts]),
        ]
        if any(part.monitored for part in parts):
            columns += [self._monitored(feature, parts) for feature in self._contract.monitored]
        return _encode_lines(list(starmap(self._line, zip(*columns, strict=True))))

    def _monitored(self, feature: Feature, parts: Sequence[Decided]) -> list[Any]:
        absent = [np.full(len(part.p), np.nan) for part in parts]
        given = [(part.monitored or {}).get(feature.name, nan) for part, nan in zip(parts, absent, strict=True)]
        values = _make_decoder(feature)(np.concatenate(given).tolist())
        return [msgspec.UNSET if value is None or value != value else value for value in values]


def write_times(times: Sequence[float]) -> list[str]:
    """Return unix times in UTC as ISO 8601, to the microsecond."""
    microseconds = [int(at * 1e6) for at in times]
    return [f"{_write_second(each // 1_000_000)}{each % 1_000_000:06}Z" for each in microseconds]


@lru_cache(maxsize=8)
def _write_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))


def _spreader(counts: Sequence[int]) -> Callable[[list[Any]], list[Any]]:
    """Return what repeats the value of each answer for each of its rows."""
    if set(counts) == {1}:
        return lambda values: values
    return lambda values: [value for value, count in zip(values, counts, strict=True) for _ in range(count)]


def _make_decoder(feature: Feature) -> Callable[[Sequence[float]], Sequence[Any]]:
    """Return what does `Feature.decode` to many floats; a number may stay NaN, which is written as null."""
    if feature.type == "number":
        return lambda numbers: numbers
    if feature.is_category:
        names = feature.values
        return lambda numbers: [None if number != number else names[int(number)] for number in numbers]
    return lambda numbers: [None if number != number else int(number) for number in numbers]


def _write_identity(loaded: Loaded) -> bytes:
    """Return the value of `model_name` and the keys that follow it: the same in every line, so written once."""
    identity = {
        "model_version": loaded.pointer.version,
        "model_sha256": loaded.scorer.sha256,
        "contract": loaded.scorer.contract.fingerprint,
    }
    return strict_json.dumps(loaded.pointer.name) + b"," + strict_json.dumps(identity)[1:-1]
