"""A challenger beside a champion: whether it can score the same rows, a log line for each row, and the metrics.

The metrics count no costs: those depend on outcomes, which are not known yet.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from serve.contract.contract import Contract
from serve.metrics import names
from serve.metrics.counters import Tallies
from serve.records.decided import Decided, show_times
from serve.records.log_file import encode_lines
from serve.store.live import Loaded

# These fields decide which applications a feature admits, and which number the model gets for them.
ENCODING = ("name", "type", "min", "max", "values", "unit", "missing")
REASONS = "queue full", "no challenger", "same model", "other contract", "failed"  # why a row is not scored
FULL, NO_CHALLENGER, SAME, OTHER, FAILED = REASONS
# The time is that of the decision, so that both lines about it are in the folder of one day.
_FIELDS = (
    "time decision_id model_version model_sha256 probability code champion_sha256 champion_probability champion_code"
)
_Line = msgspec.defstruct("_Line", _FIELDS.split(), gc=False)


def find_difference(champion: Contract, challenger: Contract) -> str:
    """Return the first reason why the challenger can't score rows that the champion encoded, or ""."""
    if [feature.name for feature in champion.scored] != [feature.name for feature in challenger.scored]:
        return "its scored features are others, or in another order"
    for one, other in zip(champion.scored, challenger.scored, strict=True):
        for part in ENCODING:
            if getattr(one, part) != getattr(other, part):
                return f"its contract has another {part} for {one.name}"
    return ""


def write_lines(challenger: Loaded, parts: Sequence[Decided], p: Sequence[float], codes: Sequence[int]) -> bytes:
    """Return a line for each row of these decisions, with the challenger's probabilities and codes."""
    version, sha256, champion = challenger.pointer.version, challenger.scorer.sha256, parts[0].loaded.scorer.sha256
    times, scores = show_times(part.at for part in parts), zip(p, codes, strict=True)
    return encode_lines(
        [
            _Line(time, decision_id, version, sha256, *next(scores), champion, champion_p, champion_code)
            for time, part in zip(times, parts, strict=True)
            for decision_id, champion_p, champion_code in zip(part.ids(), part.p, part.codes, strict=True)
        ]
    )


class ShadowCounts:
    """Counts in the tallies of a worker."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        keys = [(names.SHADOW_DROPPED, reason) for reason in REASONS]
        keys += [(names.SHADOW_SWAPS, result) for result in ("taken", "refused")]
        for key in (*keys, (names.SHADOW_UNLOGGED,)):
            tallies.row(key)

    def dropped(self, reason: str, rows: int) -> None:
        """Count rows that were answered and not scored."""
        self._tallies.add((names.SHADOW_DROPPED, reason), rows)

    def unlogged(self, rows: int) -> None:
        """Count rows that were scored and are not in the log."""
        self._tallies.add((names.SHADOW_UNLOGGED,), rows)

    def scored(self, challenger: Loaded, champion: Loaded, difference: np.ndarray, flips: np.ndarray) -> None:
        """Count (n,) rows by difference in probability, and by flip: 1 to approved, -1 to denied, 0 for none."""
        pair = (challenger.pointer.version, champion.pointer.version)
        self._tallies.add((names.SHADOW_SCORED, *pair), len(flips))
        for code, flip in ((1, 1), (0, -1)):
            label = challenger.scorer.contract.label(code)
            self._tallies.add((names.SHADOW_FLIPS, *pair, label), int(np.sum(flips == flip)))
        for side, rows in (("above", difference >= 0), ("below", difference < 0)):
            sizes = np.abs(difference[rows])
            buckets = np.searchsorted(names.DIFFERENCES, sizes)
            counts = np.bincount(buckets, minlength=len(names.DIFFERENCES) + 1)
            added = [*counts.tolist(), float(sizes.sum())]
            row = self._tallies.row((names.SHADOW_DIFFERENCE, *pair, side), len(added))
            with self._tallies.lock:
                row[:] = map(sum, zip(row, added, strict=True))

    def swapped(self, _old: Loaded | None, new: Loaded | None) -> None:
        """Count a challenger that was taken, or, where `new` is None, refused."""
        self._tallies.add((names.SHADOW_SWAPS, "taken" if new else "refused"))
        if new:
            self.gone()
            self._tallies.set({(names.SHADOW_WORKERS, new.pointer.version, new.scorer.sha256): 1})

    def gone(self) -> None:
        """Record that this worker has no challenger."""
        self._tallies.forget(names.SHADOW_WORKERS)
