"""The shadow: a challenger scores what was answered, off the answer's path; nobody is told what it says but the log.

Whoever answers puts the encoded rows on a bounded queue, and one thread scores them later. When the queue is full, when
there is no challenger or when it can't read these rows, they are dropped and counted: an answer never waits.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from threading import Event, Lock, Thread

import msgspec
import numpy as np

from serve.contract import Contract
from serve.live import LiveModel, Loaded
from serve.log_file import LogFile
from serve.settings import Settings
from serve.shadow_counts import FAILED, FULL, NO_CHALLENGER, OTHER, SAME, ShadowCounts
from serve.store import open_store
from serve.tallies import Tallies

MOST_ROWS = 10_000  # that may wait
STEP = 128  # rows a call, about: between two of them, threads that answer get their turn
GATHER_SECONDS = 0.1  # what comes meanwhile is scored together
TICK_SECONDS = 1.0  # the log looks so often whether to begin another file
CLOSE_SECONDS = 2.0
# What says which applications a feature lets in, and which number the model sees for them.
ENCODING = ("name", "type", "min", "max", "values", "unit", "missing")
log = logging.getLogger(__name__)


class _Answered(msgspec.Struct, gc=False):
    """Some rows as they were answered: X (n, F) float64 as bytes; `begin` is None where the decision has one row."""

    champion: Loaded
    X: bytes
    p: Sequence[float]
    codes: Sequence[int]
    decision_id: str
    begin: int | None

    def ids(self) -> list[str]:
        """Return the id of each row's decision."""
        if self.begin is None:
            return [self.decision_id]
        return [f"{self.decision_id}.{row}" for row in range(self.begin, self.begin + len(self.p))]


class _Line(msgspec.Struct):
    """A line of the shadow log."""

    time: str
    decision_id: str
    model_version: str
    model_sha256: str
    probability: float
    code: int
    champion_sha256: str
    champion_probability: float
    champion_code: int


class Shadow:
    """Scores with the challenger what the champion answered; `put` is all that the answer's path sees of it."""

    def __init__(self, live: LiveModel, counts: ShadowCounts, file: LogFile | None = None) -> None:
        """live: the challenger. file: where a line of each row goes."""
        self.live, self._counts, self._file = live, counts, file
        self._queue: deque[_Answered] = deque()
        self._rows, self._lock = 0, Lock()
        self._filled, self._closing = Event(), Event()
        self._pair: tuple[Loaded | None, Loaded | None] = (None, None)
        self._obstacle = ""
        self._told: set[tuple[str, ...]] = set()
        self._writable = True
        self._thread = Thread(target=self._run, name="shadow", daemon=True)
        live.on_swap, live.on_gone = counts.swapped, counts.gone

    def put(
        self,
        champion: Loaded,
        X: np.ndarray,
        p: Sequence[float],
        codes: Sequence[int],
        decision_id: str,
        many: bool = False,
    ) -> None:
        """Have (n, F) rows scored that were answered with (n,) probabilities and codes. many: of a batch's decision.

        X is copied, p and codes must stay as they are.
        """
        rows = len(p)
        with self._lock:
            taken = min(rows, MOST_ROWS - self._rows)
            self._rows += taken
        if taken < rows:
            self._counts.dropped(FULL, rows - taken)
        if not many:
            if taken:
                self._queue.append(_Answered(champion, X.tobytes(), p, codes, decision_id, None))
        else:
            for begin in range(0, taken, STEP):
                part = slice(begin, min(begin + STEP, taken))
                self._queue.append(_Answered(champion, X[part].tobytes(), p[part], codes[part], decision_id, begin))
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
        # Wakes without pushing aside a thread that answers. A lower share of the processor would do harm: whoever
        # waits for it may hold the interpreter's lock, and then all wait.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        while not self._closing.is_set():
            if self._filled.wait(TICK_SECONDS):
                self._closing.wait(GATHER_SECONDS)
                self._filled.clear()
                self.score_waiting()
            self._write(LogFile.tick)
        self.score_waiting()
        self._write(LogFile.close)

    def score_waiting(self) -> None:
        """Score what waits now."""
        while answered := self._take():
            try:
                self._score(answered)
            except Exception as err:  # noqa: BLE001 (whatever a challenger raises, it must not end the thread)
                self._counts.dropped(FAILED, sum(len(each.p) for each in answered))
                self._tell("the challenger failed with a %s", type(err).__name__)

    def _take(self) -> list[_Answered]:
        """Return about STEP rows that one champion answered."""
        taken: list[_Answered] = []
        rows = 0
        while self._queue and rows < STEP and (not taken or self._queue[0].champion is taken[0].champion):
            taken.append(self._queue.popleft())
            rows += len(taken[-1].p)
        with self._lock:
            self._rows -= rows
        return taken

    def _score(self, answered: list[_Answered]) -> None:
        champion, challenger = answered[0].champion, self.live.current
        if self._pair[0] is not champion or self._pair[1] is not challenger:
            self._pair, self._obstacle = (champion, challenger), self._meet(champion, challenger)
        if self._obstacle or challenger is None:
            self._counts.dropped(self._obstacle, sum(len(each.p) for each in answered))
            return
        X = np.frombuffer(b"".join([each.X for each in answered])).reshape(-1, len(challenger.scorer.contract.scored))
        p = challenger.scorer.score(X)
        codes = challenger.scorer.decide(p)
        before = np.fromiter(chain.from_iterable(each.p for each in answered), float)
        codes_before = np.fromiter(chain.from_iterable(each.codes for each in answered), int)
        self._counts.scored(challenger, champion, p - before, codes - codes_before)
        if self._file:
            ids = chain.from_iterable(each.ids() for each in answered)
            rows = zip(ids, p.tolist(), codes.tolist(), before.tolist(), codes_before.tolist(), strict=True)
            lines = _write_lines(challenger, champion, rows)
            if not self._write(lambda file: file.append(lines)):
                self._counts.unlogged(len(p))

    def _write(self, do: Callable[[LogFile], None]) -> bool:
        """Do something with the log; False where it can't be done, which is told once, until it can."""
        try:
            if self._file:
                do(self._file)
        except OSError as err:
            if self._writable:
                log.error("the shadow log can't be written: %s", err.strerror)
            self._writable = False
        else:
            self._writable = True
        return self._writable

    def _meet(self, champion: Loaded, challenger: Loaded | None) -> str:
        """Return why nothing can be scored, "" where it can."""
        before = champion.pointer.version
        if challenger is None:
            self._tell("there is no challenger: nothing is scored in the shadow")
            return NO_CHALLENGER
        new = challenger.pointer.version
        if challenger.scorer.sha256 == champion.scorer.sha256:
            self._tell("the challenger, version %s, is the file that answers: nothing is scored in the shadow", new)
            return SAME
        if other := find_difference(champion.scorer.contract, challenger.scorer.contract):
            self._tell("version %s can't score in the shadow of version %s, %s", new, before, other)
            return OTHER
        self._tell("version %s scores in the shadow of version %s", new, before)
        return ""

    def _tell(self, *words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            log.warning(*words)


def find_difference(champion: Contract, challenger: Contract) -> str:
    """Return the first way in which one can't read the rows that the other encoded, "" where it can."""
    names = [[feature.name for feature in contract.scored] for contract in (champion, challenger)]
    if names[0] != names[1]:
        return "its scored features are others, or in another order"
    for one, other in zip(champion.scored, challenger.scored, strict=True):
        for part in ENCODING:
            if getattr(one, part) != getattr(other, part):
                return f"its contract has another {part} for {one.name}"
    return ""


def make_shadow(settings: Settings, tallies: Tallies) -> Shadow | None:
    """Return the shadow that a server was told to have, at rest. Raises SettingsError."""
    if settings.shadow_alias is None:
        return None
    store = open_store(replace(settings, model_alias=settings.shadow_alias))
    folder = settings.prediction_log
    file = LogFile(folder, "shadow", settings.prediction_log_bytes) if folder else None
    return Shadow(LiveModel(store, shadow=True), ShadowCounts(tallies), file)


def _write_lines(challenger: Loaded, champion: Loaded, rows: Iterable[tuple[str, float, int, float, int]]) -> bytes:
    """Return a line for each row's id, the challenger's probability and code, the champion's probability and code."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    version, sha256, other = challenger.pointer.version, challenger.scorer.sha256, champion.scorer.sha256
    lines = [_Line(now, key, version, sha256, p, code, other, *before) for key, p, code, *before in rows]
    return msgspec.json.Encoder().encode_lines(lines)
