"""The prediction log of a worker: one JSON line for every decision, in files of its own.

Mode `drop`: an answer puts its decisions on a bounded queue in memory; a thread writes the queue every FLUSH_SECONDS,
since many lines at once cost a third of as many single writes. Records that can't be written are dropped and counted,
and no answer waits. A worker that is killed loses its queue.
Mode `required`: the line is written before the answer is sent; if that fails, there is no answer.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

from serve.records.applicant import hash_applicant, load_or_make_secret
from serve.records.decided import Decided, Row, group_rows, use_batch_scheduling
from serve.records.lines import LineWriter
from serve.records.log_file import LogFile
from serve.records.refusals import Refusals
from serve.settings import Settings
from serve.store.live import Loaded

FLUSH_SECONDS = 0.25
TICK_SECONDS = 0.5  # between looks for requests to finish a file, and writes of refusal counts
QUEUE_ROWS = 65_536  # a single batch may be larger
PIECE = 128  # rows of a batch that are written at once: a fraction of a millisecond in which no answer is made
PIECES, FEWEST = 128, 32  # at most so many pieces of single rows in a flush, each of at least so many rows
PAUSE_SECONDS = 0.0005  # between two pieces: without it the system may run them all before a thread that answers
log = logging.getLogger(__name__)


class PredictionLog:
    """Takes decisions from any thread. Make it after the fork, in the process that answers."""

    def __init__(self, settings: Settings, count: Callable[[str, int], None]) -> None:
        """count: called with a result, "logged", "dropped" or "refused", and how many records had it."""
        self.required = settings.prediction_log_mode == "required"
        self._folder, self._secret_file, self._count = settings.prediction_log, settings.applicant_secret_file, count
        self._file = LogFile(self._folder, "decisions", settings.prediction_log_bytes)
        self.refusals = Refusals(LogFile(self._folder, "refusals", settings.prediction_log_bytes))
        self._rows: deque[Row] = deque()  # single rows that wait to be written
        self._answers: list[Decided] = []  # all other decisions that wait
        self._waiting_rows = 0  # of the answers, also of those being written
        self._lock = Lock()  # of what waits
        self._writing = Lock()  # of the file
        self._ending = Event()
        self._writer: LineWriter | None = None
        self._secret: bytes | None = None
        self._failing, self._missing = False, 0  # whether writing fails, and how many records were dropped since
        for result in ("logged", "dropped", "refused"):
            count(result, 0)  # an alert notices a first one only after a zero
        self._thread = Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def take(self, decided: Decided) -> bool:
        """Record decisions; False where records are required and can't be written: then none may be answered."""
        rows = len(decided.p)
        if self.required:
            written = self._write(LineWriter.write, decided, decided.loaded, decided.at, rows)
            if not written:
                self._count("refused", rows)
            return written
        with self._lock:
            if fits := not self._waiting_rows or self._waiting_rows + rows <= QUEUE_ROWS:
                self._answers.append(decided)
                self._waiting_rows += rows
        if not fits:
            self._fail("the disk is too slow", rows)
        return True

    def take_row(self, row: Row) -> bool:
        """Record one decision in as few steps as possible; False as in `take`, but not counted."""
        if self.required:
            return self._write(LineWriter.write_one, row, row[3], row[0], 1)
        if len(self._rows) < QUEUE_ROWS:
            self._rows.append(row)
        else:
            self._fail("the disk is too slow", 1)
        return True

    def flush(self) -> None:
        """Write what waits."""
        # In small pieces, since no answer is made while one is written; in few, since each waits for answers to pause.
        waiting = len(self._rows)
        most = max(FEWEST, -(-waiting // PIECES))
        for _ in range(0, waiting, most):
            with self._lock:
                rows = [self._rows.popleft() for _ in range(min(most, len(self._rows)))]
            for group in group_rows(rows):
                self._write(LineWriter.write_rows, group, group[0][3], group[0][0], len(group))
            time.sleep(PAUSE_SECONDS)
        with self._lock:
            answers, self._answers = self._answers, []
        for decided in answers:
            for part in decided.split(PIECE):
                self._write(LineWriter.write, part, part.loaded, part.at, len(part.p))
                with self._lock:
                    self._waiting_rows -= len(part.p)
                time.sleep(PAUSE_SECONDS)

    def _write(self, make: Callable[[LineWriter, Any], bytes], what: Any, loaded: Loaded, at: float, rows: int) -> bool:
        """Write the lines of decisions of one model and one day; return whether that succeeded."""
        try:
            writer = self._writer
            if writer is None or writer.loaded is not loaded:
                writer = self._writer = LineWriter(loaded, self._hash)
            lines = make(writer, what)
            with self._writing:
                self._file.append(lines, at)
        except Exception as err:  # noqa: BLE001 (whatever is wrong with a record, the next are written)
            self._fail(_describe(err), 0 if self.required else rows)
            return False
        self._count("logged", rows)
        if self._failing:
            with self._lock:
                missing, self._missing, self._failing = self._missing, 0, False
            log.warning("the prediction log goes on, records missing: %d", missing)
        return True

    def close(self) -> None:
        """Write everything and end; no decision may be taken afterwards."""
        self._ending.set()
        self._thread.join()
        self.flush()
        self._report_errors(self.refusals.close)
        with self._writing:
            self._file.close()

    def _run(self) -> None:
        use_batch_scheduling()
        next_tick = time.monotonic()
        while not self._ending.wait(TICK_SECONDS if self.required else FLUSH_SECONDS):
            if self._rows or self._answers:
                self.flush()
            if time.monotonic() >= next_tick:
                self._report_errors(lambda: self.refusals.write(time.time()))
                with self._writing:
                    self._report_errors(self._file.tick)
                next_tick = time.monotonic() + TICK_SECONDS

    def _report_errors(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as err:
            self._fail(_describe(err))

    def _hash(self, key: bytes) -> str:
        if self._secret is None:
            self._secret = load_or_make_secret(self._folder, self._secret_file)
        return hash_applicant(self._secret, key)

    def _fail(self, fault: str, dropped: int = 0) -> None:
        """Count dropped records, and log the first of several failures."""
        if dropped:
            self._count("dropped", dropped)
            with self._lock:
                self._missing += dropped
        if not self._failing:
            self._failing = True
            log.error("the prediction log can't be written: %s", fault)


def _describe(err: Exception) -> str:
    return (err.strerror if isinstance(err, OSError) else None) or type(err).__name__
