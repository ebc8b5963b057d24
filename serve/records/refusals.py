"""Counts refused requests for decisions by minute, route, field and kind; no text of a caller is kept."""

import time
from collections import Counter
from collections.abc import Mapping
from threading import Lock

from serve.records.log_file import LogFile, encode_lines

EARLY_KINDS = {408: "too slow", 413: "too large", 431: "long headers"}  # of requests without a route
MOST_COUNTS = 10_000  # kept while the disk refuses writes


class Refusals:
    """Counts refusals, and writes the counts of a minute once it is over."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._lock = Lock()
        self._counts: Counter[tuple[int, str, str, str]] = Counter()

    def count(self, route: str, faults: Mapping[tuple[str, str], int], at: float) -> None:
        """Count the faults (field, kind) of one refused request at a unix time."""
        minute = int(at) // 60
        with self._lock:
            for (field, kind), count in faults.items():
                self._counts[minute, route, field, kind] += count

    def count_early(self, status: int) -> None:
        """Count a request that was refused before it had a route, if the caller was the reason."""
        if kind := EARLY_KINDS.get(status):
            self.count("", {("", kind): 1}, time.time())

    def write(self, before: float) -> None:
        """Write the counts of the minutes that had ended at a unix time. Raises OSError, and then keeps them."""
        with self._lock:
            over = {key: count for key, count in self._counts.items() if key[0] * 60 + 60 <= before}
        for minute in sorted({key[0] for key in over}):
            counts = {key: count for key, count in over.items() if key[0] == minute}
            try:
                self._file.append(encode_lines([_describe(*key, count) for key, count in counts.items()]), minute * 60)
            except OSError:
                if len(over) < MOST_COUNTS:  # with more, these counts are dropped
                    raise
            with self._lock:
                self._counts -= Counter(counts)
        self._file.tick()

    def close(self) -> None:
        """Write all counts. Raises OSError."""
        try:
            self.write(float("inf"))
        finally:
            self._file.close()


def _describe(minute: int, route: str, field: str, kind: str, count: int) -> dict[str, str | int]:
    text = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(minute * 60))
    return {"minute": text, "route": route, "field": field, "kind": kind.replace(" ", "_"), "count": count}
