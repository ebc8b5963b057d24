"""Whether two tables of applications come from one population: findings with a level, in words and numbers.

Thresholds follow from simulation (`make bench-drift`). A finding above "ok" must be both: not to be explained by
chance over all tests of a report, and large enough to matter, so that a huge sample's trifles are not called drift.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from loan_approval.drift_statistics import correct_p_values, measure_distance, share_p_value
from loan_approval.errors import DataError
from serve.contract import Contract
from serve.feature import Feature

LEVEL = 0.01  # chance of any finding in a report when nothing has changed
FEWEST_ROWS = 30  # known values, for a distribution to be compared
# The customary bounds of the stability index are 0.1 and 0.25; a shift by 0.3 standard deviations, which is to be
# found, has about 0.08.
PSI_WARNING, PSI_SEVERE = 0.02, 0.25
MISSING_WARNING, MISSING_SEVERE = 0.02, 0.10  # change of the missing share
SHARE_WARNING = 0.05  # change of a share of decisions
OUTSIDE_SHARE = 0.01  # of rows outside of what the reference holds
LEVELS = ("ok", "warning", "severe")
VERDICTS = {"ok": "stable", "warning": "drift", "severe": "severe"}

Share = tuple[int, int]  # how many, of how many rows


@dataclass(frozen=True)
class Finding:
    """What was found of one subject (a feature, a score): how bad, in words, and the numbers behind them."""

    kind: str
    subject: str
    level: str
    words: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {"kind": self.kind, "subject": self.subject, "level": self.level, "words": self.words, **self.numbers}


@dataclass(frozen=True)
class _Test:
    """One test: its p-value, the level if that is not chance, and the level whatever it says."""

    kind: str
    subject: str
    p_value: float
    level: str
    words: str
    numbers: dict[str, Any]
    least: str = "ok"


@dataclass(frozen=True)
class _Sample:
    """A column: n known values as numbers (a category as its index), how many were missing, how many were broken."""

    known: np.ndarray
    missing: int
    broken: int

    @property
    def rows(self) -> int:
        return len(self.known) + self.missing


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    contract: Contract,
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    shares: Mapping[str, tuple[Share, Share]] | None = None,
    level: float = LEVEL,
) -> list[Finding]:
    """Return a finding on distribution, missing share and range of each feature, on each score and share; "ok" too.

    reference, current: columns named by the contract's features, NaN or None where missing; a monitored feature that
    is no column of both was not given, and is not compared. scores: name -> (m,) and (n,) probabilities, of the
    reference and now. shares: name -> (count, rows) of the reference and now, of approvals say.
    level: chance of any finding above "ok" when nothing has changed, over all tests together (Holm).
    Raises DataError when either has no rows, or lacks a scored feature.
    """
    _check(reference, current, contract)
    compared = [f for f in contract.features if f.name in reference.columns and f.name in current.columns]
    tests = [t for f in compared for t in _test_feature(f, _sample(f, reference[f.name]), _sample(f, current[f.name]))]
    for name, (before, now) in (scores or {}).items():
        tests.append(_test_score(name, *(np.asarray(p, dtype=np.float64) for p in (before, now))))
    tests += [_test_share(name, before, now) for name, (before, now) in (shares or {}).items()]
    corrected = correct_p_values([test.p_value for test in tests])
    return [_judge(test, p_value, level) for test, p_value in zip(tests, corrected, strict=True)]


def worst_level(findings: Iterable[Finding]) -> str:
    """Return the worst level among findings; "ok" when there is none."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def verdict(findings: Iterable[Finding]) -> str:
    """Return "stable", "drift" or "severe", by the worst finding."""
    return VERDICTS[worst_level(findings)]


def _check(reference: pd.DataFrame, current: pd.DataFrame, contract: Contract) -> None:
    for name, frame in (("reference", reference), ("current table", current)):
        absent = [feature.name for feature in contract.scored if feature.name not in frame.columns]
        if absent:
            raise DataError(f"the {name} has no column {', '.join(absent)}, expected every scored feature")
        if not len(frame):
            raise DataError(f"the {name} has no rows: nothing to compare")


def _sample(feature: Feature, column: pd.Series) -> _Sample:
    missing = column.isna().to_numpy()
    if feature.is_category:
        index = pd.Index(feature.values).get_indexer(column[~missing])
        known = np.where(index < 0, len(feature.values), index).astype(np.float64)
        return _Sample(known, int(missing.sum()), int(np.sum(index < 0)))
    numbers = pd.to_numeric(column[~missing], errors="coerce").to_numpy(dtype=np.float64)
    within = (numbers >= feature.min) & (numbers <= feature.max)
    return _Sample(numbers[np.isfinite(numbers)], int(missing.sum()), int(np.sum(~within)))


def _test_feature(feature: Feature, reference: _Sample, current: _Sample) -> list[_Test]:
    return [
        _test_distribution(feature, reference, current),
        _test_missing(feature, reference, current),
        _test_range(feature, reference, current),
    ]


def _test_distribution(feature: Feature, reference: _Sample, current: _Sample) -> _Test:
    fewest = min(len(reference.known), len(current.known))
    if fewest < FEWEST_ROWS:
        words = f"{fewest} known values, expected {FEWEST_ROWS} to compare distributions"
        return _Test("distribution", feature.name, 1.0, "ok", words, {})
    missing = (reference.missing, current.missing)
    distance = measure_distance(reference.known, current.known, missing, feature.is_category)
    numbers = {"psi": distance.psi, "psi_by_chance": distance.psi_by_chance, "ks": distance.statistic}
    moved = _what_moved(feature, reference.known, current.known)
    words = f"PSI {distance.psi:.3f} ({distance.psi_by_chance:.3f} by chance), {moved}"
    level = _grade(distance.effect, PSI_WARNING, PSI_SEVERE)
    return _Test("distribution", feature.name, distance.p_value, level, words, numbers)


def _what_moved(feature: Feature, reference: np.ndarray, current: np.ndarray) -> str:
    """Return the median before and after, of a category the value whose share moved most."""
    if not feature.is_category:
        quartiles = [np.quantile(sample, [0.25, 0.5, 0.75]) for sample in (reference, current)]
        if len(np.unique(reference)) > 2:
            before, now = (f"{middle:,.6g} ({low:,.6g} to {high:,.6g})" for low, middle, high in quartiles)
            return f"median (quartiles) from {before} to {now}"
        return f"mean from {np.mean(reference):.3g} to {np.mean(current):.3g}"
    names = [*feature.values, "(unknown)"]
    shares = [np.bincount(sample.astype(int), minlength=len(names)) / len(sample) for sample in (reference, current)]
    most = int(np.argmax(np.abs(shares[1] - shares[0])))
    return f"share of {names[most]} from {shares[0][most]:.1%} to {shares[1][most]:.1%}"


def _test_missing(feature: Feature, reference: _Sample, current: _Sample) -> _Test:
    counts = [(sample.missing, sample.rows) for sample in (reference, current)]
    before, now = (count / max(rows, 1) for count, rows in counts)
    # Whether somebody tells a monitored attribute is their own choice: no fault upstream.
    severe = MISSING_SEVERE if feature.scored else np.inf
    level = _grade(abs(now - before), MISSING_WARNING, severe)
    numbers = {"missing_before": before, "missing_now": now}
    return _Test(
        "missing", feature.name, share_p_value(*counts), level, f"missing from {before:.1%} to {now:.1%}", numbers
    )


def _test_range(feature: Feature, reference: _Sample, current: _Sample) -> _Test:
    """Compare what the reference never held: other categories, numbers below its smallest or above its largest."""
    if feature.is_category:
        new = ~np.isin(current.known, reference.known)
    else:
        ends = (reference.known.min(), reference.known.max()) if len(reference.known) else (-np.inf, np.inf)
        new = (current.known < ends[0]) | (current.known > ends[1])
    count, rows = int(np.sum(new)), max(len(current.known), 1)
    words = f"{count:,} of {len(current.known):,} values are outside of what the reference holds"
    if current.broken:
        words += f", {current.broken:,} break the contract"
    p_value = share_p_value((0, max(len(reference.known), 1)), (count, rows))
    level = ("severe" if feature.is_category else "warning") if count / rows >= OUTSIDE_SHARE else "ok"
    numbers = {"outside_reference": count, "outside_contract": current.broken}
    return _Test("range", feature.name, p_value, level, words, numbers, "severe" if current.broken else "ok")


def _test_score(name: str, reference: np.ndarray, current: np.ndarray) -> _Test:
    if min(len(reference), len(current)) < FEWEST_ROWS:
        words = f"{min(len(reference), len(current))} scores, expected {FEWEST_ROWS} to compare"
        return _Test("score", name, 1.0, "ok", words, {})
    distance = measure_distance(reference, current)
    numbers = {"psi": distance.psi, "psi_by_chance": distance.psi_by_chance, "ks": distance.statistic}
    moved = f"mean from {np.mean(reference):.3f} to {np.mean(current):.3f}"
    words = f"PSI {distance.psi:.3f} ({distance.psi_by_chance:.3f} by chance), {moved}"
    return _Test("score", name, distance.p_value, _grade(distance.effect, PSI_WARNING, PSI_SEVERE), words, numbers)


def _test_share(name: str, reference: Share, current: Share) -> _Test:
    before, now = (count / max(rows, 1) for count, rows in (reference, current))
    level = _grade(abs(now - before), SHARE_WARNING, np.inf)
    words = f"from {before:.1%} of {reference[1]:,} to {now:.1%} of {current[1]:,}"
    return _Test("share", name, share_p_value(reference, current), level, words, {"before": before, "now": now})


def _grade(size: float, warning: float, severe: float) -> str:
    return "severe" if size >= severe else "warning" if size >= warning else "ok"


def _judge(test: _Test, corrected: float, level: float) -> Finding:
    graded = test.level if corrected <= level else "ok"
    words = f"{test.subject}: {test.words}; {_describe_chance(corrected)}"
    numbers = {**test.numbers, "p_value": test.p_value, "p_corrected": corrected}
    return Finding(test.kind, test.subject, max(graded, test.least, key=LEVELS.index), words, numbers)


def _describe_chance(corrected: float) -> str:
    if corrected >= 1:
        return "as by chance"
    return "p < 0.0001" if corrected < 0.0001 else f"p = {corrected:.2g}"
