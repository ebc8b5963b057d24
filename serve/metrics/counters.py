"""Counts and gauges of a process in plain memory, added up over processes through two small files each.

Shared memory written at every count would cost the fast lane more than counting does, and ends the process when the
file system below it is full. So each process counts for itself and publishes a few times a second: who is killed takes
the counts since its last time along. A process that takes over the name of a dead one goes on from its counts, so that
there are never more files than names.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import msgspec

Key = tuple[str, ...]  # the metric's name, then the values of its labels
COUNTS, GAUGES = ".counts", ".gauges"
log = logging.getLogger(__name__)
_encode = msgspec.msgpack.encode
_decode_counts = msgspec.msgpack.Decoder(dict[Key, list[float]]).decode
_decode_gauges = msgspec.msgpack.Decoder(dict[Key, float]).decode


@dataclass
class Sums:
    """What several processes counted, added up; the gauges as each of them set them."""

    counts: dict[Key, list[float]] = field(default_factory=dict)
    gauges: dict[Key, list[float]] = field(default_factory=dict)

    def add(self, counts: dict[Key, list[float]]) -> None:
        """Add the counts of one process."""
        for key, row in counts.items():
            known = self.counts.get(key, [0] * len(row))
            self.counts[key] = [one + other for one, other in zip(known, row, strict=True)]

    def note(self, gauges: dict[Key, float]) -> None:
        """Put the gauges of one process beside those of the others."""
        for key, value in gauges.items():
            self.gauges.setdefault(key, []).append(value)


class Tallies:
    """The tallies of this process; `lock` is held while a row of `counts` changes."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._counts: dict[Key, list[float]] = {}
        self._gauges: dict[Key, float] = {}
        self._path: Path | None = None
        self._writing = Lock()
        self._written: dict[str, bytes] = {}
        self._failed = False

    def row(self, key: Key, length: int = 1) -> list[float]:
        """Return the numbers of one key, zeros at first, for the caller to add to while it holds `lock`."""
        with self.lock:
            return self._counts.setdefault(key, [0] * length)

    def add(self, key: Key, amount: float = 1) -> None:
        """Count."""
        with self.lock:
            self._counts.setdefault(key, [0])[0] += amount

    def set(self, gauges: dict[Key, float]) -> None:
        """Set gauges."""
        with self.lock:
            self._gauges |= gauges

    def drop(self, keys: Iterable[Key]) -> None:
        """Forget gauges."""
        with self.lock:
            for key in keys:
                self._gauges.pop(key, None)

    def forget(self, name: str) -> None:
        """Forget the gauges of one metric."""
        with self.lock:
            self._gauges = {key: value for key, value in self._gauges.items() if key[0] != name}

    def share(self, path: Path) -> None:
        """Publish in `path`.counts and `path`.gauges from now on, going on from the counts that are there."""
        before = _read(path.with_suffix(COUNTS))
        for key, old in (_decode_counts(before) if before else {}).items():
            row = self.row(key, len(old))
            with self.lock:
                row[:] = [one + other for one, other in zip(row, old, strict=True)]
        self._path = path
        self.publish()

    def publish(self) -> None:
        """Write what changed; a full disk is logged once, and costs numbers, never the process."""
        if self._path is None:
            return
        with self._writing:
            with self.lock:
                news = {COUNTS: _encode(self._counts), GAUGES: _encode(self._gauges)}
            try:
                for suffix in (suffix for suffix in news if news[suffix] != self._written.get(suffix)):
                    beside = self._path.with_suffix(suffix + ".new")
                    beside.write_bytes(news[suffix])
                    beside.replace(self._path.with_suffix(suffix))  # a reader sees the old numbers or the new ones
                    self._written[suffix] = news[suffix]
            except OSError as err:
                if not self._failed:
                    log.error("the metrics can't be shared: %s", err.strerror)
                self._failed = True
            else:
                self._failed = False

    def together(self) -> Sums:
        """Return the sums over all processes that share the folder, or over this one alone."""
        sums = Sums()
        if self._path is None:
            with self.lock:
                sums.add(self._counts)
                sums.note(self._gauges)
            return sums
        self.publish()
        for path in sorted(self._path.parent.iterdir()):
            data = _read(path) if path.suffix in (COUNTS, GAUGES) else b""
            if data and path.suffix == COUNTS:
                sums.add(_decode_counts(data))
            elif data:
                sums.note(_decode_gauges(data))
        return sums


def forget_gauges(path: Path) -> None:
    """Take the gauges of a process that has died out of the sums; its counts stay."""
    path.with_suffix(GAUGES).unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # its process has died meanwhile
        return b""
