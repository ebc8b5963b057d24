"""The prediction log of a worker: every decision it answers, one JSON line each, in files of its own.

Mode `drop`: the way of an answer ends at a bounded queue in memory; a thread writes it every FLUSH_SECONDS. What the
disk does not take is dropped and counted, and nobody waits for it. Who is killed takes the queue along.
Mode `required`: the line is written before its answer is sent, and where it can't be there is no answer.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event, Lock, Thread
from typing import Protocol

from serve.applicant import hash_applicant
from serve.decided import Decided, Writer
from serve.errors import SettingsError
from serve.log_file import DAY, LogFile
from serve.log_folder import load_secret
from serve.refusals import Refusals
from serve.settings import Settings

FLUSH_SECONDS = 0.05
TICK_SECONDS = 0.5  # for requests to finish a file, and for counts of refusals
MOST_ROWS = 65_536  # that wait; a single batch may be larger
PIECE = 256  # rows that are written at once: about a millisecond in which no answer is made
log = logging.getLogger(__name__)


class Counter(Protocol):
    """Takes how many records were logged, dropped or refused."""

    def __call__(self, result: str, count: int) -> None:
        """Add so many; a zero says that there is such a count."""


class PredictionLog:
    """Takes decisions from any thread; made in the process that answers, after the fork."""

    def __init__(self, settings: Settings, count: Counter, clock: Callable[[], float] = time.time) -> None:
        """count: told of what becomes of the records. clock: unix time."""
        self.required = settings.prediction_log_mode == "required"
        self._folder, self._secret_file = settings.prediction_log, settings.applicant_secret_file
        self._count, self._clock = count, clock
        self._file = LogFile(self._folder, "decisions", settings.prediction_log_bytes, clock)
        self.refusals = Refusals(LogFile(self._folder, "refusals", settings.prediction_log_bytes, clock))
        self._queue: list[Decided] = []
        self._rows = 0  # in the queue and being written
        self._lock = Lock()  # of the queue
        self._writing = Lock()
        self._filled, self._ending = Event(), Event()
        self._writer: Writer | None = None
        self._secret: bytes | None = None
        self._fails = False
        self._missing = 0  # records, since it fails
        for result in ("logged", "dropped", "refused"):
            count(result, 0)  # an alert sees a first one only if there was a zero
        self._thread = Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def take(self, decided: Decided) -> bool:
        """Put decisions on record; False where they must be and can't, and then nothing of them is: whoever refuses the
        answer for it says so by `refuse`.
        """
        if self.required:
            return self._write_now(decided)
        rows = len(decided.p)
        with self._lock:
            fits = not self._rows or self._rows + rows <= MOST_ROWS
            first = fits and not self._queue
            if fits:
                self._queue.append(decided)
                self._rows += rows
        if first:
            self._filled.set()
        elif not fits:
            self._drop(rows, "the disk is too slow")
        return True

    def refuse(self, rows: int) -> None:
        """Count decisions that nobody was told, since they could not be put on record."""
        self._count("refused", rows)

    def flush(self) -> None:
        """Write what is in the queue."""
        with self._lock:
            queue, self._queue = self._queue, []
        for piece in _cut(queue):
            rows = sum(len(part.p) for part in piece)
            try:
                self._write(piece)
            except (OSError, SettingsError) as err:
                self._drop(rows, _name(err))
            except Exception as err:  # noqa: BLE001 (whatever is wrong with a record, the next are written)
                self._drop(rows, type(err).__name__)
            else:
                self._count("logged", rows)
                self._goes_on()
            with self._lock:
                self._rows -= rows

    def close(self) -> None:
        """Write everything and end; decisions after this are not taken."""
        self._ending.set()
        self._filled.set()
        self._thread.join()
        self.flush()
        self._keep(self.refusals.close)
        with self._writing:
            self._file.close()

    def _run(self) -> None:
        ticks = time.monotonic()
        while not self._ending.is_set():
            if self._filled.wait(TICK_SECONDS):
                self._ending.wait(FLUSH_SECONDS)
                self._filled.clear()
                self.flush()
            if time.monotonic() >= ticks:
                self.tick()
                ticks = time.monotonic() + TICK_SECONDS

    def tick(self) -> None:
        """Write the counts of refusals, and finish files that are to be finished."""
        self._keep(lambda: self.refusals.write(self._clock()))
        with self._writing:
            self._keep(self._file.tick)

    def _keep(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as err:
            self._fail(_name(err))

    def _write_now(self, decided: Decided) -> bool:
        rows = len(decided.p)
        try:
            self._write([decided])
        except (OSError, SettingsError) as err:
            self._fail(_name(err))
            return False
        self._count("logged", rows)
        self._goes_on()
        return True

    def _write(self, piece: Sequence[Decided]) -> None:
        """Write decisions of one model and one day. Raises OSError, SettingsError."""
        with self._writing:
            loaded = piece[0].loaded
            if self._writer is None or self._writer.loaded is not loaded:
                self._writer = Writer(loaded)
            self._file.append(self._writer.write(piece, self._hash), piece[0].at)

    def _hash(self, key: bytes) -> str:
        if self._secret is None:
            self._secret = load_secret(self._folder, self._secret_file)
        return hash_applicant(self._secret, key)

    def _drop(self, rows: int, why: str) -> None:
        self._count("dropped", rows)
        with self._lock:
            self._missing += rows
        self._fail(why)

    def _fail(self, why: str) -> None:
        if not self._fails:
            self._fails = True
            log.error("the prediction log can't be written: %s", why)

    def _goes_on(self) -> None:
        if self._fails:
            with self._lock:
                missing, self._missing, self._fails = self._missing, 0, False
            log.warning("the prediction log goes on, records missing: %d", missing)


def _cut(queue: Sequence[Decided]) -> Iterator[list[Decided]]:
    """Yield the queue in pieces of few rows, each of one model and one day, in order."""
    piece: list[Decided] = []
    rows = 0
    for decided in queue:
        for part in decided.split(PIECE):
            last = piece[-1] if piece else part
            if rows + len(part.p) > PIECE or part.loaded is not last.loaded or part.at // DAY != last.at // DAY:
                yield piece
                piece, rows = [], 0
            piece.append(part)
            rows += len(part.p)
    if piece:
        yield piece


def _name(err: Exception) -> str:
    return (err.strerror if isinstance(err, OSError) else None) or type(err).__name__
