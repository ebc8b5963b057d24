"""The prediction log of a worker: every decision it answers, one JSON line each, in files of its own.

Mode `drop`: the way of an answer ends at a bounded queue in memory; a thread writes it every FLUSH_SECONDS, many lines
at a time, which costs a third of what each for itself would. What the disk does not take is dropped and counted, and
nobody waits for it. Who is killed takes the queue along.
Mode `required`: the line is written before its answer is sent, and where it can't be there is no answer.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Protocol

from serve.errors import SettingsError
from serve.records.applicant import hash_applicant
from serve.records.background_thread import use_batch_scheduling
from serve.records.decided import Decided, Row, cut
from serve.records.lines import LineWriter
from serve.records.log_file import LogFile
from serve.records.log_folder import load_secret
from serve.records.refusals import Refusals
from serve.settings import Settings
from serve.store.live import Loaded

FLUSH_SECONDS = 0.25
TICK_SECONDS = 0.5  # for requests to finish a file, and for counts of refusals
QUEUE_ROWS = 65_536  # that wait; a single batch may be larger
PIECE = 128  # rows of a batch that are written at once: a fraction of a millisecond in which no answer is made
PIECES, FEWEST = 128, 32  # pieces of a flush at the most, single rows of a piece at the least
PAUSE_SECONDS = 0.0005  # between two pieces: without it the system may run them all before a thread that answers
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
        self._plain: deque[Row] = deque()  # what waits: single rows,
        self._queue: list[Decided] = []  # and everything else
        self._rows = 0  # of the queue, and being written
        self._lock = Lock()  # of the queue
        self._writing = Lock()  # of the file
        self._ending = Event()
        self._writer: LineWriter | None = None
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
            return self._must(LineWriter.write, decided, decided.loaded, decided.at, len(decided.p))
        rows = len(decided.p)
        with self._lock:
            fits = not self._rows or self._rows + rows <= QUEUE_ROWS
            if fits:
                self._queue.append(decided)
                self._rows += rows
        if not fits:
            self._drop(rows, "the disk is too slow")
        return True

    def take_row(self, row: Row) -> bool:
        """Do the same with one decision, in as few steps as can be."""
        if self.required:
            return self._must(LineWriter.write_one, row, row[3], row[0], 1)
        if len(self._plain) < QUEUE_ROWS:
            self._plain.append(row)
        else:
            self._drop(1, "the disk is too slow")
        return True

    def refuse(self, rows: int) -> None:
        """Count decisions that nobody was told, since they could not be put on record."""
        self._count("refused", rows)

    def flush(self) -> None:
        """Write what waits."""
        waiting = len(self._plain)
        # In small pieces, as nothing is answered meanwhile; in few, as each waits for whoever answers to pause.
        most = max(FEWEST, -(-waiting // PIECES))
        for _ in range(0, waiting, most):
            with self._lock:
                rows = [self._plain.popleft() for _ in range(min(most, len(self._plain)))]
            for piece in cut(rows):
                first = piece[0]
                if why := self._try(LineWriter.write_rows, piece, first[3], first[0], len(piece)):
                    self._drop(len(piece), why)
            time.sleep(PAUSE_SECONDS)
        with self._lock:
            queue, self._queue = self._queue, []
        for decided in queue:
            for part in decided.split(PIECE):
                if why := self._try(LineWriter.write, part, part.loaded, part.at, len(part.p)):
                    self._drop(len(part.p), why)
                with self._lock:
                    self._rows -= len(part.p)
                time.sleep(PAUSE_SECONDS)

    def _must(self, *record: Any) -> bool:
        why = self._try(*record)
        if why:
            self._fail(why)
        return not why

    def _try(self, write: Callable[[LineWriter, Any], bytes], what: Any, loaded: Loaded, at: float, rows: int) -> str:
        """Write the lines of some decisions of one model and one day; return why it can't be done, "" where it is."""
        try:
            writer = self._writer
            if writer is None or writer.loaded is not loaded:
                writer = self._writer = LineWriter(loaded, self._hash)
            lines = write(writer, what)
            with self._writing:
                self._file.append(lines, at)
        except (OSError, SettingsError) as err:
            return _name(err)
        except Exception as err:  # noqa: BLE001 (whatever is wrong with a record, the next are written)
            return type(err).__name__
        self._count("logged", rows)
        if self._fails:
            self._goes_on()
        return ""

    def close(self) -> None:
        """Write everything and end; decisions after this are not taken."""
        self._ending.set()
        self._thread.join()
        self.flush()
        self._keep(self.refusals.close)
        with self._writing:
            self._file.close()

    def _run(self) -> None:
        use_batch_scheduling()
        ticks = time.monotonic()
        while not self._ending.wait(TICK_SECONDS if self.required else FLUSH_SECONDS):
            if self._plain or self._queue:
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
        with self._lock:
            missing, self._missing, self._fails = self._missing, 0, False
        log.warning("the prediction log goes on, records missing: %d", missing)


def _name(err: Exception) -> str:
    return (err.strerror if isinstance(err, OSError) else None) or type(err).__name__
