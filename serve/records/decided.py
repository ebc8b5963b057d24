"""Decisions, as answers hand them to the background threads of the prediction log and the shadow."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby, repeat
from typing import Any

import msgspec
import numpy as np

from serve.records.log_file import DAY
from serve.store.live import Loaded

IDS_AT_ONCE = 256  # decision ids for which random bytes are read
# One decision of the fast lane, a tuple since there are thousands a second: the first fields of `Decided`.
Row = tuple[float, str, str, Loaded, bytes, float, int, float, bytes | None]


class Decided(msgspec.Struct, frozen=True, gc=False):
    """The n decisions of one answer.

    at: unix time.   X: (n, F) float64, or its bytes.   p, codes: n.   seconds: from the request to the decision.
    applicant: the key in the request.   monitored: (n,) float64 for each feature in the request, NaN = unknown.
    many: a batch, whose rows have the id `<decision_id>.<number>`, numbered from `first`.
    reasons: the codes of the reasons; of a batch, n lists of them.
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
    reasons: list[Any] | None = None
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
            rows["reasons"] = self.reasons and self.reasons[part]
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


_random: deque[str] = deque()  # 20 hexadecimal digits each; a deque gives each of them to one thread only
os.register_at_fork(after_in_child=_random.clear)


def make_decision_id() -> str:
    """Return a UUIDv7: ids sort by time. Source: RFC 9562, section 5.7."""
    try:
        random = _random.pop()
    except IndexError:  # many at once, since a call of the system costs more than all else here
        block = os.urandom(10 * IDS_AT_ONCE).hex()
        _random.extend(block[start : start + 20] for start in range(20, len(block), 20))
        random = block[:20]
    time_digits = f"{time.time_ns() // 1_000_000:012x}"
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{time_digits[:8]}-{time_digits[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
