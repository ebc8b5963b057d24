"""The tests of a report, one each for distributions, missing cells, ranges, scores and shares of decisions.

A test has a p-value and the size of the difference; `drift` judges all tests of a report together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from loan_approval.drift.statistics import Distance, measure_distance, share_p_value
from serve.contract.feature import Feature
from serve.contract.numbers import count as count_of

FEWEST_ROWS = 30  # known values, for a distribution to be compared
# The customary bounds are 0.1 and 0.25, but a shift by 0.3 standard deviations, which must be found, has about 0.08.
PSI_WARNING, PSI_SEVERE = 0.02, 0.25
MISSING_WARNING, MISSING_SEVERE = 0.02, 0.10  # change of the missing share
SHARE_WARNING = 0.05  # change of a share of decisions
OUTSIDE_SHARE = 0.01  # of rows outside the reference's range

Share = tuple[int, int]  # count, rows


@dataclass(frozen=True)
class Measure:
    """One test: its p-value, the level if that is significant, and the least level in any case."""

    kind: str
    subject: str
    p_value: float
    level: str
    words: str
    numbers: dict[str, Any]
    least: str = "ok"


@dataclass(frozen=True)
class Sample:
    """A column: n known values as numbers (a category as its index), and the counts of missing and broken cells."""

    known: np.ndarray
    missing: int
    broken: int


def take_sample(feature: Feature, column: pd.Series) -> Sample:
    """Return a column of a table; infinities and texts among numbers are counted as broken and left out."""
    missing = column.isna().to_numpy()
    if feature.is_category:
        index = pd.Index(feature.values).get_indexer(column[~missing])
        known = np.where(index < 0, len(feature.values), index).astype(np.float64)
        return Sample(known, int(missing.sum()), int(np.sum(index < 0)))
    numbers = pd.to_numeric(column[~missing], errors="coerce").to_numpy(dtype=np.float64)
    within = (numbers >= feature.min) & (numbers <= feature.max)
    return Sample(numbers[np.isfinite(numbers)], int(missing.sum()), int(np.sum(~within)))


def measure_feature(feature: Feature, reference: Sample, current: Sample) -> list[Measure]:
    """Return the tests of one feature."""
    measures = _measure_distribution, _measure_missing, _measure_range
    return [measure(feature, reference, current) for measure in measures]


def _measure_distribution(feature: Feature, reference: Sample, current: Sample) -> Measure:
    fewest = min(len(reference.known), len(current.known))
    if fewest < FEWEST_ROWS:
        words = f"{fewest} known values, expected {FEWEST_ROWS} to compare distributions"
        return Measure("distribution", feature.name, 1.0, "ok", words, {})
    missing = reference.missing, current.missing
    distance = measure_distance(reference.known, current.known, missing, feature.is_category)
    return _judge_distance("distribution", feature.name, distance, _describe_change(feature, reference, current))


def _judge_distance(kind: str, subject: str, distance: Distance, change: str) -> Measure:
    low, high = distance.psi_interval
    numbers = {"psi": distance.psi, "psi_by_chance": distance.psi_by_chance, "psi_low": low, "psi_high": high}
    numbers["ks"] = distance.statistic
    by_chance = f"{distance.psi_by_chance:.3f} by chance; beyond that {low:.3f} to {high:.3f}"
    words = f"PSI {distance.psi:.3f} ({by_chance}), {change}"
    level = grade(distance.effect, PSI_WARNING, PSI_SEVERE)
    return Measure(kind, subject, distance.p_value, level, words, numbers)


def _describe_change(feature: Feature, reference: Sample, current: Sample) -> str:
    """Return the median before and after; the share of a category's value that changed most, or of a flag's higher."""
    samples = reference.known, current.known
    if feature.is_category:
        names = [*feature.values, "(unknown)"]
        before, now = (np.bincount(sample.astype(int), minlength=len(names)) / len(sample) for sample in samples)
        most = int(np.argmax(np.abs(now - before)))
        return f"share with {feature.show(names[most])} from {before[most]:.1%} to {now[most]:.1%}"
    if len(np.unique(reference.known)) <= 2:
        one = np.max(reference.known)
        before, now = (np.mean(sample == one) for sample in samples)
        return f"share with {feature.show(one)} from {before:.1%} to {now:.1%}"
    quartiles = (map(feature.show, np.quantile(sample, [0.25, 0.5, 0.75])) for sample in samples)
    before, now = (f"{middle} ({low} to {high})" for low, middle, high in quartiles)
    return f"median (quartiles) from {before} to {now}"


def _measure_missing(feature: Feature, reference: Sample, current: Sample) -> Measure:
    counts = [(sample.missing, len(sample.known) + sample.missing) for sample in (reference, current)]
    before, now = (count / max(rows, 1) for count, rows in counts)
    # Applicants may leave out a monitored attribute, so that is never severe.
    level = grade(abs(now - before), MISSING_WARNING, MISSING_SEVERE if feature.scored else np.inf)
    words, numbers = f"missing from {before:.1%} to {now:.1%}", {"missing_before": before, "missing_now": now}
    return Measure("missing", feature.name, share_p_value(*counts), level, words, numbers)


def _measure_range(feature: Feature, reference: Sample, current: Sample) -> Measure:
    """Count categories that the reference lacks, and numbers below its smallest or above its largest."""
    if feature.is_category:
        new = ~np.isin(current.known, reference.known)
    else:
        ends = (reference.known.min(), reference.known.max()) if len(reference.known) else (-np.inf, np.inf)
        new = (current.known < ends[0]) | (current.known > ends[1])
    count, rows = int(np.sum(new)), max(len(current.known), 1)
    words = f"outside of what the reference holds: {count:,} of {count_of(len(current.known), 'value')}"
    if current.broken:
        words += f", outside of the contract: {current.broken:,}"
    p_value = share_p_value((0, max(len(reference.known), 1)), (count, rows))
    level = ("severe" if feature.is_category else "warning") if count / rows >= OUTSIDE_SHARE else "ok"
    numbers = {"outside_reference": count, "outside_contract": current.broken}
    return Measure("range", feature.name, p_value, level, words, numbers, "severe" if current.broken else "ok")


def measure_score(name: str, reference: np.ndarray, current: np.ndarray) -> Measure:
    """Compare (m,) and (n,) probabilities."""
    fewest = min(len(reference), len(current))
    if fewest < FEWEST_ROWS:
        return Measure("score", name, 1.0, "ok", f"{fewest} scores, expected {FEWEST_ROWS} to compare", {})
    change = f"mean from {np.mean(reference):.3f} to {np.mean(current):.3f}"
    return _judge_distance("score", name, measure_distance(reference, current), change)


def measure_share(name: str, reference: Share, current: Share) -> Measure:
    """Compare a share of the decisions."""
    before, now = (count / max(rows, 1) for count, rows in (reference, current))
    level = grade(abs(now - before), SHARE_WARNING, np.inf)
    words = f"from {before:.1%} of {reference[1]:,} to {now:.1%} of {current[1]:,}"
    return Measure("share", name, share_p_value(reference, current), level, words, {"before": before, "now": now})


def grade(size: float, warning: float, severe: float) -> str:
    """Return the level of a difference of this size."""
    return "severe" if size >= severe else "warning" if size >= warning else "ok"
