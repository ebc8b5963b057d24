"""Counterfactuals: for each feature that an applicant can change, the nearest value that would be approved.

They are found by scoring with the model file. Each claim was scored: at its value and at the scanned values beyond it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache, partial
from math import floor, log10
from typing import Any

import numpy as np

from serve.contract.feature import Feature
from serve.model.scorer import Scorer
from serve.model.trees import Trees

Judge = Callable[[np.ndarray], np.ndarray]  # says (n,) whether a row is approved with each of (n,) values of a feature

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
        value = self.value if isinstance(self.value, str) else None
        if self.claim == "one_of":
            value = texts["or"].join(self.value)
        value = value or write_number(self.value, language)
        return texts[self.claim].format(self.feature.title(language), value) + texts["rest"]

    def to_dict(self, write: Callable[[Callable[[str], str]], Any]) -> dict[str, Any]:
        """Return the document of this change; `write` chooses the language of its text."""
        unit = {"unit": self.feature.unit} if self.feature.unit else {}
        return {"feature": self.feature.name, self.claim: self.value} | unit | {"text": write(self.text)}


def find_counterfactuals(scorer: Scorer, X: np.ndarray, trees: Trees | None = None) -> list[Counterfactual]:
    """Return the change of each actionable feature of one (1, F) row, where there is one, in the order of the contract.

    trees: those of the scorer's file, with which the same changes are found sooner.
    Approved means without review: a probability from the upper end of the review band.
    """
    features = scorer.contract.scored
    columns = [column for column, feature in enumerate(features) if feature.actionable]
    judges = _judge_segments(scorer, X, columns, trees) if trees and columns else _judge_rows(scorer, X, columns)
    searches = [_Search(features[j], float(X[0, j]), judge) for j, judge in zip(columns, judges, strict=True)]
    return list(filter(None, (search.run() for search in searches)))


def _judge_rows(scorer: Scorer, X: np.ndarray, columns: Sequence[int]) -> list[Judge]:
    """Return for each column a judge that scores the row with each value."""

    def approves(column: int, values: np.ndarray) -> np.ndarray:
        rows = np.repeat(X, len(values), axis=0)
        rows[:, column] = values
        return scorer.score(rows) >= scorer.review_band[1]

    return [partial(approves, column) for column in columns]


def _judge_segments(scorer: Scorer, X: np.ndarray, columns: Sequence[int], trees: Trees) -> list[Judge]:
    """Return for each column a judge that looks up the segment of each value; all segments are scored at once."""
    own = trees.split(X)
    others = own.sum(axis=0, dtype=own.dtype) - own
    cells = [others[column] + trees.parts[column] for column in columns]
    approved = trees.score(np.concatenate(cells)) >= scorer.review_band[1]
    by_segment = np.split(approved, np.cumsum([len(each) for each in cells])[:-1])
    return [
        lambda values, column=column, each=each: each[trees.segments(column, values)]
        for column, each in zip(columns, by_segment, strict=True)
    ]


@lru_cache(maxsize=1024)
def _spaced(low: float, high: float, whole: bool) -> np.ndarray:
    """Return the distinct numbers of a range that are scored first, ascending."""
    points = np.linspace(low, high, POINTS)
    points = np.unique(np.rint(points) if whole else points)
    points.setflags(write=False)
    return points


class _Search:
    """The search for one feature. `_now` is the applicant's value, NaN if it is missing."""

    def __init__(self, feature: Feature, now: float, approves: Judge) -> None:
        self._feature, self._now, self._approves = feature, now, approves
        self._is_integer = feature.is_whole
        self._is_fully_scanned = self._is_integer and feature.max - feature.min < MOST_WHOLE

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
                changes.append((abs(value - start), Counterfactual(self._feature, claim, self._write(value))))
        return min(changes, key=lambda change: change[0], default=(None, None))[1]

    def _write(self, value: float) -> Any:
        if self._feature.is_text:
            return self._feature.decode(value)
        return int(value) if value == int(value) else value

    def _points(self, start: float) -> np.ndarray:
        """Return the sorted values to score first, with `start` among them."""
        low, high = self._feature.min, self._feature.max
        if self._is_fully_scanned:
            return np.arange(low, high + 1, dtype=np.float64)
        spaced = _spaced(low, high, self._is_integer)
        at = int(np.searchsorted(spaced, start))
        return spaced if spaced[at] == start else np.concatenate([spaced[:at], [start], spaced[at:]])

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
            if self._is_integer:
                between = np.unique(np.rint(between))[::side]
            if len(between) <= 2 or (not self._is_integer and abs(approved - denied) <= float(step) / 10):
                break
            first = int(np.append(self._approves(between[1:-1]), True).argmax())
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
