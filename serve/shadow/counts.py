"""What the shadow tells of itself in the metrics: what it scored and what not, and how it differs from what answered.

No costs: what a decision costs is known when its outcome is, and neither model's probability is that. So the counts
hold what happened, and the report on the shadow log says what the two models expect.
"""

import numpy as np

from serve.metrics import exposition
from serve.metrics.counters import Tallies
from serve.metrics.exposition import DIFFERENCES
from serve.store.live import Loaded

FULL, NO_CHALLENGER, SAME, OTHER, FAILED = "queue full", "no challenger", "same model", "other contract", "failed"
REASONS = (FULL, NO_CHALLENGER, SAME, OTHER, FAILED)
SIDES = ("above", "below")


class ShadowCounts:
    """Counts in the tallies of a worker."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies
        for reason in REASONS:
            tallies.row((exposition.SHADOW_DROPPED, reason))
        tallies.row((exposition.SHADOW_UNLOGGED,))
        for result in ("taken", "refused"):
            tallies.row((exposition.SHADOW_SWAPS, result))

    def dropped(self, reason: str, rows: int) -> None:
        """Count rows that were answered and not scored."""
        self._tallies.add((exposition.SHADOW_DROPPED, reason), rows)

    def unlogged(self, rows: int) -> None:
        """Count rows that were scored and are not in the log."""
        self._tallies.add((exposition.SHADOW_UNLOGGED,), rows)

    def scored(self, challenger: Loaded, champion: Loaded, difference: np.ndarray, flips: np.ndarray) -> None:
        """Count (n,) rows by their difference in probability, and by 1, -1 or 0: approved, denied or as it was."""
        pair = (challenger.pointer.version, champion.pointer.version)
        self._tallies.add((exposition.SHADOW_SCORED, *pair), len(flips))
        for label, flip in ((challenger.scorer.contract.label(1), 1), (challenger.scorer.contract.label(0), -1)):
            self._tallies.add((exposition.SHADOW_FLIPS, *pair, label), int(np.sum(flips == flip)))
        for side, rows in zip(SIDES, (difference >= 0, difference < 0), strict=True):
            found = np.abs(difference[rows])
            buckets = np.searchsorted(DIFFERENCES, found)
            added = [*np.bincount(buckets, minlength=len(DIFFERENCES) + 1).tolist(), float(found.sum())]
            row = self._tallies.row((exposition.SHADOW_DIFFERENCE, *pair, side), len(added))
            with self._tallies.lock:
                row[:] = map(sum, zip(row, added, strict=True))

    def swapped(self, old: Loaded | None, new: Loaded | None) -> None:
        """Count a challenger that was taken, or, where `new` is None, refused."""
        self._tallies.add((exposition.SHADOW_SWAPS, "taken" if new else "refused"))
        if new:
            self._tallies.forget(exposition.SHADOW_WORKERS)
            self._tallies.set({(exposition.SHADOW_WORKERS, new.pointer.version, new.scorer.sha256): 1})

    def gone(self) -> None:
        """Note that there is no challenger any more."""
        self._tallies.forget(exposition.SHADOW_WORKERS)
