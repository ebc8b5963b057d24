"""Counterfactuals: for each feature that an applicant can change, the nearest value that would be approved.

They are found by scoring with the model file. Each claim was scored: at its value and at the scanned values beyond it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import floor, log10
from typing import Any

import numpy as np

from serve.contract.feature import Feature
from serve.model.scorer import Scorer

MOST_WHOLE = 2048  # whole numbers of a range that are all scored; a longer range is scored at `POINTS`
POINTS = 512
FINER_POINTS = 64  # scored between two points in each round of the refinement
MOST_ROUNDS = 12
DIGITS = 4  # of a number, which is rounded away from the applicant's value
_TEXTS = {
    "en": {
        **{"from": "{}: approved from {} upwards", "to": "{}: approved up to {}", "at": "{}: approved at {}"},
        **{"one_of": "{}: approved with {}", "or": " or ", "rest": ", everything else equal"},
    },
    "pt": {
        **{"from": "{}: aprovado a partir de {}", "to": "{}: aprovado até {}", "at": "{}: aprovado com {}"},
        **{"one_of": "{}: aprovado com {}", "or": " ou ", "rest": ", mantido todo o resto"},
    },
}


@dataclass(frozen=True)
class Counterfactual:
    """A change of one feature that would be approved; `claim`: "from", "to", "at" or, for a category, "one_of"."""

    feature: Feature
    claim: str
    value: Any

    def text(self, language: str) -> str:
        """Return the change in words."""
        texts = _TEXTS[language]
        value = texts["or"].join(self.value) if self.claim == "one_of" else write_number(self.value, language)
        return texts[self.claim].format(self.feature.title(language), value) + texts["rest"]

    def to_dict(self, write: Callable[[Callable[[str], str]], Any]) -> dict[str, Any]:
        """Return the document of this change; `write` chooses the language of its text."""
        unit = {"unit": self.feature.unit} if self.feature.unit else {}
        return {"feature": self.feature.name, self.claim: self.value} | unit | {"text": write(self.text)}


def find_counterfactuals(scorer: Scorer, X: np.ndarray) -> list[Counterfactual]:
    """Return the change of each actionable feature of one (1, F) row, where there is one, in the order of the contract.

    Approved means without review: a probability from the upper end of the review band.
    """
    columns = [column for column, feature in enumerate(scorer.contract.scored) if feature.actionable]
    return list(filter(None, (_Search(scorer, X, column).run() for column in columns)))


class _Search:
    """The search for one feature. `_now` is the applicant's value, NaN if it is missing."""

    def __init__(self, scorer: Scorer, X: np.ndarray, column: int) -> None:
        self._scorer, self._X, self._column = scorer, X, column
        self._feature, self._now = scorer.contract.scored[column], float(X[0, column])
        self._is_integer = self._feature.type == "integer"
        self._is_fully_scanned = self._is_integer and self._feature.max - self._feature.min < MOST_WHOLE

    def run(self) -> Counterfactual | None:
        if self._feature.is_category:
            codes = np.array([code for code in range(len(self._feature.values)) if code != self._now], dtype=np.float64)
            names = [self._feature.values[int(code)] for code in codes[self._approves(codes)]]
            return Counterfactual(self._feature, "one_of", names) if names else None
        missing = bool(np.isnan(self._now))
        sides = ((-1 if self._feature.direction < 0 else 1),) if missing else (-1, 1)
        # A missing value has no neighbours: the search starts at the end that counts most against the applicant.
        start = self._now if not missing else self._feature.min if sides == (1,) else self._feature.max
        points = self._points(start)
        approved = self._approves(points)
        approved[points == start] &= missing
        changes = []
        for side in sides:
            value = self._nearest(start, side, points, approved)
            if value is not None and self._approves(np.array([value]))[0]:  # alone in its batch, as a request would be
                claim = self._claim(value, side, points, approved)
                changes.append(Counterfactual(self._feature, claim, int(value) if value == int(value) else value))
        return min(changes, key=lambda change: abs(change.value - start), default=None)

    def _approves(self, values: np.ndarray) -> np.ndarray:
        """Return (n,) whether the application is approved with each of (n,) values of this feature."""
        rows = np.repeat(self._X, len(values), axis=0)
        rows[:, self._column] = values
        return self._scorer.score(rows) >= self._scorer.review_band[1]

    def _points(self, start: float) -> np.ndarray:
        """Return the sorted values to score first, with `start` among them."""
        low, high = self._feature.min, self._feature.max
        if self._is_fully_scanned:
            return np.arange(low, high + 1, dtype=np.float64)
        spaced = np.linspace(low, high, POINTS)
        return np.unique([*(np.rint(spaced) if self._is_integer else spaced), start])

    def _nearest(self, start: float, side: int, points: np.ndarray, approved: np.ndarray) -> float | None:
        """Return the approved value nearest to `start` above (side 1) or below it (-1), or `start` itself."""
        candidates = np.flatnonzero(approved & ((points - start) * side >= 0))
        if not len(candidates):
            return None
        first = candidates[0] if side > 0 else candidates[-1]
        if self._is_fully_scanned or points[first] == start:
            return float(points[first])
        return self._refine(float(points[first - side]), float(points[first]), side)

    def _refine(self, denied: float, approved: float, side: int) -> float:
        """Return the approved value nearest to the denied one: a whole number, or one with few digits."""
        # The power of ten of the last of DIGITS digits; near zero, of a thousandth of the range.
        size = max(abs(approved), (self._feature.max - self._feature.min) / 1000)
        step = Decimal(1).scaleb(floor(log10(size)) - DIGITS + 1)
        for _ in range(MOST_ROUNDS):
            between = np.linspace(denied, approved, FINER_POINTS + 2)
            between = np.unique(np.rint(between) if self._is_integer else between)[::side]
            if len(between) <= 2 or (not self._is_integer and abs(approved - denied) <= float(step) / 10):
                break
            first = int(np.argmax(np.append(self._approves(between[1:-1]), True)))
            denied, approved = float(between[first]), float(between[first + 1])
        if self._is_integer:
            return approved
        # The search ends slightly past the border, so the value with few digits just before it may be approved too.
        away = Decimal(approved).quantize(step, ROUND_CEILING if side > 0 else ROUND_FLOOR)
        for rounded in (float(away - side * step), float(away)):
            is_change = np.isnan(self._now) or (rounded - self._now) * side > 0
            within = self._feature.min <= rounded <= self._feature.max
            if is_change and within and self._approves(np.array([rounded]))[0]:
                return rounded
        return approved

    def _claim(self, value: float, side: int, points: np.ndarray, approved: np.ndarray) -> str:
        """Return "from" or "to" if every scanned value beyond is approved, and the scan was complete or the contract
        declares the direction; else "at".
        """
        beyond = approved[(points - value) * side > 0]
        is_sure = self._is_fully_scanned or self._feature.direction == side
        if len(beyond) and beyond.all() and is_sure:
            return "from" if side > 0 else "to"
        return "at"


def write_number(number: float, language: str) -> str:
    """Return a number as text, with narrow spaces between thousands, which both languages understand."""
    whole, point, part = f"{number:,.15f}".rstrip("0").rstrip(".").partition(".")
    separator = "\u202f" if len(whole.lstrip("-")) > len("9,999") else ""
    return whole.replace(",", separator) + (point and ("," if language == "pt" else ".")) + part
