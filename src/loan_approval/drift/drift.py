"""Compares two tables of applications: findings with a level, in words and numbers.

A finding above "ok" is both significant over all tests of a report and large enough to matter; so a tiny difference in
a huge sample is no drift. The thresholds were chosen by simulation (`make bench-drift`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from loan_approval.drift.details import measure_details
from loan_approval.drift.measures import Measure, Share, measure_feature, measure_score, measure_share, take_sample
from loan_approval.drift.relations import measure_relations
from loan_approval.drift.statistics import correct_p_values
from loan_approval.errors import DataError
from serve.contract.contract import Contract

LEVEL = 0.01  # chance of any finding in a report when nothing has changed
LEVELS = ("ok", "warning", "severe")
VERDICTS = {"ok": "stable", "warning": "drift", "severe": "severe"}


@dataclass(frozen=True)
class Finding:
    """The result on one subject (a feature, a score): its level, in words that don't name it, and its numbers."""

    kind: str
    subject: str
    level: str
    words: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def say(self, names: Mapping[str, str]) -> str:
        """Return the words after the subject. names: a feature's words by its name in the contract."""
        return f"{names.get(self.subject, self.subject)}: {self.words}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {"kind": self.kind, "subject": self.subject, "level": self.level, "words": self.words, **self.numbers}


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    contract: Contract,
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    shares: Mapping[str, tuple[Share, Share]] | None = None,
    level: float = LEVEL,
    target: str = "",
) -> list[Finding]:
    """Return the findings on each feature (distribution, tails, digits, missing, range, relations), score and share.

    reference, current: columns named by the contract's features, NaN or None where missing; a monitored feature is
    compared if both have it.   scores: name -> (m,) and (n,) probabilities of the reference and now.
    shares: name -> (count, rows) of the reference and now.   target: a numeric column of both, to relate to the others.
    level: chance of any finding above "ok" when nothing has changed, over all tests together (Holm).
    Raises DataError when a table has no rows or lacks a scored feature.
    """
    _check(reference, current, contract)
    tables = reference, current
    compared = [f for f in contract.features if f.name in reference.columns and f.name in current.columns]
    tests = []
    for feature in compared:
        samples = [take_sample(feature, table[feature.name]) for table in tables]
        tests += measure_feature(feature, *samples) + measure_details(feature, *samples)
    tests += measure_relations(reference, current, compared, target)
    tests += [measure_score(name, before, now) for name, (before, now) in (scores or {}).items()]
    tests += [measure_share(name, before, now) for name, (before, now) in (shares or {}).items()]
    corrected = correct_p_values([test.p_value for test in tests])
    return [_judge(test, p_value, level) for test, p_value in zip(tests, corrected, strict=True)]


def worst_level(findings: Iterable[Finding]) -> str:
    """Return the worst level among findings; "ok" when there is none."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def verdict(findings: Iterable[Finding]) -> str:
    """Return "stable", "drift" or "severe", by the worst finding."""
    return VERDICTS[worst_level(findings)]


def _check(reference: pd.DataFrame, current: pd.DataFrame, contract: Contract) -> None:
    for name, frame in {"reference": reference, "current table": current}.items():
        absent = [feature.name for feature in contract.scored if feature.name not in frame.columns]
        if absent:
            raise DataError(f"the {name} has no column {', '.join(absent)}, expected every scored feature")
        if not len(frame):
            raise DataError(f"the {name} has no rows: nothing to compare")


def _judge(test: Measure, corrected: float, level: float) -> Finding:
    graded = test.level if corrected <= level else "ok"
    chance = "as by chance" if corrected >= 1 else "p < 0.0001" if corrected < 0.0001 else f"p = {corrected:.2g}"
    words = f"{test.words}; {chance}"
    numbers = {**test.numbers, "p_value": test.p_value, "p_corrected": corrected}
    return Finding(test.kind, test.subject, max(graded, test.least, key=LEVELS.index), words, numbers)
