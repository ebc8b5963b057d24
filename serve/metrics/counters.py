"""Counts and gauges of a process in plain memory, added up over processes through two small files each.

Shared memory written at every count would cost the fast lane more than counting does, and ends the process when the
file system below it is full. So each process counts for itself and publishes a few times a second; a process that is
killed loses the counts since then. A process that replaces a dead one under its name continues its counts, so that
there are never more files than names.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from serve.metrics.count_files import COUNTS, GAUGES

Key = tuple[str, ...]  # the metric's name, then the values of its labels
log = logging.getLogger(__name__)
_encode = msgspec.msgpack.encode
_decode_counts = msgspec.msgpack.Decoder(dict[Key, list[float]]).decode
_decode_gauges = msgspec.msgpack.Decoder(dict[Key, float]).decode


class Tallies:
    """The tallies of this process; `lock` is held while a row of counts changes."""

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

    def forget(self, name: str) -> None:
        """Forget the gauges of one metric."""
        with self.lock:
            self._gauges = {key: value for key, value in self._gauges.items() if key[0] != name}

    def share(self, path: Path) -> None:
        """Publish in `path`.counts and `path`.gauges from now on, and continue the counts that are there."""
        before = _read(path.with_suffix(COUNTS), _decode_counts)
        with self.lock:
            _add(self._counts, before)
        self._path = path
        self.publish()

    def publish(self) -> None:
        """Write what changed. A full disk is logged once; the published numbers stay until there is room."""
        if self._path is None:
            return
        with self._writing:
            with self.lock:
                news = {COUNTS: _encode(self._counts), GAUGES: _encode(self._gauges)}
            try:
                for suffix, data in news.items():
                    if data != self._written.get(suffix):
                        beside = self._path.with_suffix(suffix + ".new")
                        beside.write_bytes(data)
                        beside.replace(self._path.with_suffix(suffix))  # a reader sees the old file or the new one
                        self._written[suffix] = data
            except OSError as err:
                if not self._failed:
                    log.error("the metrics can't be shared: %s", err.strerror)
                self._failed = True
            else:
                self._failed = False

    def together(self) -> dict[Key, list[float]]:
        """Return the counts and gauges of all processes that share the folder, or of this one alone.

        A count has its numbers added up over the processes, a gauge has one number of each process.
        """
        sums: dict[Key, list[float]] = {}
        if self._path is None:
            with self.lock:
                _add(sums, self._counts)
                return sums | {key: [value] for key, value in self._gauges.items()}
        self.publish()
        for path in sorted(self._path.parent.iterdir()):
            if path.suffix == COUNTS:
                _add(sums, _read(path, _decode_counts))
            elif path.suffix == GAUGES:
                for key, value in _read(path, _decode_gauges).items():
                    sums.setdefault(key, []).append(value)
        return sums


def _add(sums: dict[Key, list[float]], counts: dict[Key, list[float]]) -> None:
    for key, row in counts.items():
        total = sums.setdefault(key, [0] * len(row))
        total[:] = map(sum, zip(total, row, strict=True))  # in place: others hold the row


def _read(path: Path, decode: Callable[[bytes], dict[Key, Any]]) -> dict[Key, Any]:
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:  # its process has died meanwhile
        return {}
