"""Decisions, as they are handed from whoever answers to the prediction log and to the shadow."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import msgspec
import numpy as np

from serve.records.log_file import DAY
from serve.store.live import Loaded

# One decision, as the lane makes thousands a second: the first fields of `Decided`, with a single p and code.
Row = tuple[float, str, str, Loaded, bytes, float, int, float, bytes | None]


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


def show_time(at: float) -> datetime | str:
    """Return a unix time as what JSON has it in UTC as ISO 8601, to the microsecond."""
    return show_times([at])[0]


def show_times(times: Iterable[float]) -> list[datetime | str]:
    """Do the same to many."""
    found = [*map(datetime.fromtimestamp, times, repeat(UTC))]
    # msgspec would leave out a fraction of zero.
    return [each if each.microsecond else f"{each:%Y-%m-%dT%H:%M:%S}.000000Z" for each in found]


def cut(rows: list[Row]) -> list[list[Row]]:
    """Return the rows in pieces of one model and one day each."""
    if not rows:
        return []
    first, last = rows[0], rows[-1]
    if first[0] // DAY == last[0] // DAY and all(row[3] is first[3] for row in rows):
        return [rows]
    return [[row] for row in rows]  # a few times a day


def make_decision_id() -> str:
    """Return a UUIDv7: ids sort by time. Source: RFC 9562, section 5.7."""
    random = os.urandom(10).hex()
    time_digits = f"{time.time_ns() // 1_000_000:012x}"
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{time_digits[:8]}-{time_digits[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
