"""The shadow: a challenger scores the decisions that were answered, later and on another thread.

Answers put their decisions on a bounded queue and never wait. Decisions are dropped and counted when the queue is
full, when there is no challenger, or when it can't score these rows. Its scores go only to the log and the metrics.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event, Lock, Thread

import numpy as np

from serve.metrics.counters import Tallies
from serve.records.decided import Decided, use_batch_scheduling
from serve.records.log_file import DAY, LogFile
from serve.settings import Settings
from serve.shadow import comparison
from serve.store.live import LiveModel, Loaded
from serve.store.store import open_store

SHADOW_QUEUE_ROWS = 10_000
STEP = 128  # rows of one call, about: threads that answer get their turn between two calls
GATHER_SECONDS = 0.1  # decisions that arrive in this time are scored together
TICK_SECONDS = 1.0  # between looks whether to begin another file
CLOSE_SECONDS = 2.0
log = logging.getLogger(__name__)


class Shadow:
    """Scores with the challenger what the champion answered; answers call `put` only."""

    def __init__(self, live: LiveModel, counts: comparison.ShadowCounts, file: LogFile | None = None) -> None:
        """live: the challenger. file: gets one line for each scored row."""
        self.live, self._counts, self._file = live, counts, file
        self._queue: deque[Decided] = deque()
        self._rows, self._lock = 0, Lock()
        self._filled, self._closing = Event(), Event()
        self._logged: set[tuple[str, ...]] = set()
        self._writable = True
        self._thread = Thread(target=self._run, name="shadow", daemon=True)
        live.on_swap, live.on_gone = counts.swapped, counts.gone

    def put(self, decided: Decided) -> None:
        """Queue decisions to be scored, as far as there is room."""
        rows = len(decided.p)
        with self._lock:
            taken = min(rows, SHADOW_QUEUE_ROWS - self._rows)
            self._rows += taken
        if taken < rows:
            self._counts.dropped(comparison.FULL, rows - taken)
        if 0 < taken <= STEP:
            self._queue.append(decided if taken == rows else next(decided.split(taken)))
        elif taken:
            self._queue.extend(next(decided.split(taken)).split(STEP))
        if not self._filled.is_set():
            self._filled.set()

    def start(self, seconds: float) -> None:
        """Begin to score, and to check the challenger's pointer every so many seconds, each on its own thread."""
        self.live.watch(seconds, at_once=True)
        self._thread.start()

    def close(self) -> None:
        """Score what waits, for at most two seconds, and end."""
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
            self._maintain_file(LogFile.tick)
        self.score_waiting()
        self._maintain_file(LogFile.close)

    def score_waiting(self) -> None:
        """Score what waits now."""
        while parts := self._take():
            try:
                self._score(parts)
            except Exception as err:  # noqa: BLE001 (whatever a challenger raises, it must not end the thread)
                self._counts.dropped(comparison.FAILED, sum(len(part.p) for part in parts))
                self._log_once("the challenger failed with a %s", type(err).__name__, level=logging.ERROR)

    def _take(self) -> list[Decided]:
        """Return about STEP rows that one champion decided on one UTC day."""
        taken: list[Decided] = []
        rows = 0
        while self._queue and rows < STEP:
            first, other = (taken or self._queue)[0], self._queue[0]
            if first.loaded is not other.loaded or first.at // DAY != other.at // DAY:
                break
            taken.append(self._queue.popleft())
            rows += len(taken[-1].p)
        with self._lock:
            self._rows -= rows
        return taken

    def _score(self, parts: Sequence[Decided]) -> None:
        champion, challenger = parts[0].loaded, self.live.current
        obstacle = self._find_obstacle(champion, challenger)
        if obstacle or challenger is None:
            self._counts.dropped(obstacle, sum(len(part.p) for part in parts))
            return
        X = np.frombuffer(b"".join([part.X for part in parts])).reshape(-1, len(challenger.scorer.contract.scored))
        p = challenger.scorer.score(X)
        codes = challenger.scorer.decide(p)
        differences = p - np.concatenate([part.p for part in parts])
        flips = codes - np.concatenate([part.codes for part in parts])
        self._counts.scored(challenger, champion, differences, flips)
        if self._file is None:
            return
        lines = comparison.write_lines(challenger, parts, p.tolist(), codes.tolist())
        try:
            self._file.append(lines, parts[0].at)
            self._writable = True
        except OSError as err:
            self._counts.unlogged(len(p))
            if self._writable:  # only the first of several failures in a row is logged
                log.error("the shadow log can't be written: %s", err.strerror)
            self._writable = False

    def _maintain_file(self, step: Callable[[LogFile], None]) -> None:
        with suppress(OSError):  # the next write reports it
            if self._file:
                step(self._file)

    def _find_obstacle(self, champion: Loaded, challenger: Loaded | None) -> str:
        """Return the reason why the challenger can't score the champion's rows, or ""; log it once."""
        if challenger is None:
            self._log_once("there is no challenger: nothing is scored in the shadow")
            return comparison.NO_CHALLENGER
        old, new = champion.pointer.version, challenger.pointer.version
        if challenger.scorer.sha256 == champion.scorer.sha256:
            self._log_once("the challenger, version %s, is the file that answers: nothing is scored", new)
            return comparison.SAME
        if difference := comparison.find_difference(champion.scorer.contract, challenger.scorer.contract):
            self._log_once("version %s can't score in the shadow of version %s, %s", new, old, difference)
            return comparison.OTHER
        self._log_once("version %s scores in the shadow of version %s", new, old, level=logging.INFO)
        return ""

    def _log_once(self, *words: str, level: int = logging.WARNING) -> None:
        if words not in self._logged:  # models, and so obstacles, may come and go under load
            self._logged.add(words)
            log.log(level, *words)


def make_shadow(settings: Settings, tallies: Tallies) -> Shadow | None:
    """Return the shadow that the settings ask for, not started yet. Raises SettingsError."""
    if settings.shadow_alias is None:
        return None
    store = open_store(replace(settings, model_alias=settings.shadow_alias))
    folder = settings.prediction_log
    file = LogFile(folder, "shadow", settings.prediction_log_bytes) if folder else None
    return Shadow(LiveModel(store, shadow=True), comparison.ShadowCounts(tallies), file)
