"""The shadow: a challenger scores what was answered, off the answer's path; nobody is told what it says but the log.

Whoever answers puts its decisions on a bounded queue, and one thread scores them later. When the queue is full, when
there is no challenger or when it can't read these rows, they are dropped and counted: an answer never waits.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from threading import Event, Lock, Thread

import numpy as np

from serve.metrics.counters import Tallies
from serve.records.background_thread import use_batch_scheduling
from serve.records.decided import Decided
from serve.records.log_file import DAY, LogFile
from serve.settings import Settings
from serve.shadow.counts import FAILED, FULL, NO_CHALLENGER, OTHER, SAME, ShadowCounts
from serve.shadow.lines import find_difference, write_lines
from serve.store.live import LiveModel, Loaded
from serve.store.store import open_store

SHADOW_QUEUE_ROWS = 10_000  # that may wait
STEP = 128  # rows a call, about: between two of them, threads that answer get their turn
GATHER_SECONDS = 0.1  # what comes meanwhile is scored together
TICK_SECONDS = 1.0  # the log looks so often whether to begin another file
CLOSE_SECONDS = 2.0
log = logging.getLogger(__name__)


class Shadow:
    """Scores with the challenger what the champion answered; `put` is all that the answer's path sees of it."""

    def __init__(self, live: LiveModel, counts: ShadowCounts, file: LogFile | None = None) -> None:
        """live: the challenger. file: where a line of each row goes."""
        self.live, self._counts, self._file = live, counts, file
        self._queue: deque[Decided] = deque()
        self._rows, self._lock = 0, Lock()
        self._filled, self._closing = Event(), Event()
        self._pair: tuple[Loaded | None, Loaded | None] = (None, None)
        self._obstacle = ""
        self._told: set[tuple[str, ...]] = set()
        self._writable = True
        self._thread = Thread(target=self._run, name="shadow", daemon=True)
        live.on_swap, live.on_gone = counts.swapped, counts.gone

    def put(self, decided: Decided) -> None:
        """Have decisions scored too, as far as there is room."""
        rows = len(decided.p)
        with self._lock:
            taken = min(rows, SHADOW_QUEUE_ROWS - self._rows)
            self._rows += taken
        if taken < rows:
            self._counts.dropped(FULL, rows - taken)
        if 0 < taken <= STEP:
            self._queue.append(decided if taken == rows else next(decided.split(taken)))
        elif taken:
            self._queue.extend(next(decided.split(taken)).split(STEP))
        if not self._filled.is_set():
            self._filled.set()

    def start(self, seconds: float) -> None:
        """Follow the challenger's pointer every so many seconds, and score, on threads of their own."""
        self.live.watch(seconds, at_once=True)
        self._thread.start()

    def close(self) -> None:
        """Score what waits, for two seconds at the most, and end."""
        self._closing.set()
        self._filled.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        use_batch_scheduling()
        while not self._closing.is_set():
            if self._filled.wait(TICK_SECONDS):
                self._closing.wait(GATHER_SECONDS)
                self._filled.clear()
                self.score_waiting()
            self._look_after(LogFile.tick)
        self.score_waiting()
        self._look_after(LogFile.close)

    def score_waiting(self) -> None:
        """Score what waits now."""
        while parts := self._take():
            try:
                self._score(parts)
            except Exception as err:  # noqa: BLE001 (whatever a challenger raises, it must not end the thread)
                self._counts.dropped(FAILED, sum(len(part.p) for part in parts))
                self._tell(logging.ERROR, "the challenger failed with a %s", type(err).__name__)

    def _take(self) -> list[Decided]:
        """Return about STEP rows that one champion decided on one UTC day."""
        taken: list[Decided] = []
        rows = 0
        while self._queue and rows < STEP and (not taken or _go_together(taken[0], self._queue[0])):
            taken.append(self._queue.popleft())
            rows += len(taken[-1].p)
        with self._lock:
            self._rows -= rows
        return taken

    def _score(self, parts: Sequence[Decided]) -> None:
        champion, challenger = parts[0].loaded, self.live.current
        if self._pair[0] is not champion or self._pair[1] is not challenger:
            self._pair, self._obstacle = (champion, challenger), self._meet(champion, challenger)
        if self._obstacle or challenger is None:
            self._counts.dropped(self._obstacle, sum(len(part.p) for part in parts))
            return
        X = np.frombuffer(b"".join([part.X for part in parts])).reshape(-1, len(challenger.scorer.contract.scored))
        p = challenger.scorer.score(X)
        codes = challenger.scorer.decide(p)
        p_before = list(chain.from_iterable(part.p for part in parts))
        codes_before = list(chain.from_iterable(part.codes for part in parts))
        self._counts.scored(challenger, champion, p - np.array(p_before), codes - np.array(codes_before))
        if self._file and not self._append(write_lines(challenger, parts, p.tolist(), codes.tolist()), parts[0].at):
            self._counts.unlogged(len(p))

    def _append(self, lines: bytes, at: float) -> bool:
        """Write lines to the log; False where that fails, which is told once, until it succeeds."""
        try:
            self._file.append(lines, at)
        except OSError as err:
            if self._writable:
                log.error("the shadow log can't be written: %s", err.strerror)
            self._writable = False
        else:
            self._writable = True
        return self._writable

    def _look_after(self, step: Callable[[LogFile], None]) -> None:
        with suppress(OSError):  # the next line to be written tells
            if self._file:
                step(self._file)

    def _meet(self, champion: Loaded, challenger: Loaded | None) -> str:
        """Return why nothing can be scored, "" where it can."""
        before = champion.pointer.version
        if challenger is None:
            self._tell(logging.WARNING, "there is no challenger: nothing is scored in the shadow")
            return NO_CHALLENGER
        new = challenger.pointer.version
        if challenger.scorer.sha256 == champion.scorer.sha256:
            self._tell(logging.WARNING, "the challenger, version %s, is the file that answers: nothing is scored", new)
            return SAME
        if other := find_difference(champion.scorer.contract, challenger.scorer.contract):
            self._tell(logging.WARNING, "version %s can't score in the shadow of version %s, %s", new, before, other)
            return OTHER
        self._tell(logging.INFO, "version %s scores in the shadow of version %s", new, before)
        return ""

    def _tell(self, level: int, *words: str) -> None:
        if words not in self._told:  # models come and go under load, and so may a reason
            self._told.add(words)
            log.log(level, *words)


def make_shadow(settings: Settings, tallies: Tallies) -> Shadow | None:
    """Return the shadow that a server was told to have, at rest. Raises SettingsError."""
    if settings.shadow_alias is None:
        return None
    store = open_store(replace(settings, model_alias=settings.shadow_alias))
    folder = settings.prediction_log
    file = LogFile(folder, "shadow", settings.prediction_log_bytes) if folder else None
    return Shadow(LiveModel(store, shadow=True), ShadowCounts(tallies), file)


def _go_together(one: Decided, other: Decided) -> bool:
    return one.loaded is other.loaded and one.at // DAY == other.at // DAY
