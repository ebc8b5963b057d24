"""Changes of a number that its distribution as a whole hardly shows: heavier tails, and other digits.

A few rows from another product lie beyond what nearly all reference rows hold; an upstream system that begins to round
leaves every quantile where it was.
"""

import numpy as np

from loan_approval.drift.measures import FEWEST_ROWS, Measure, Sample
from loan_approval.drift.statistics import FEW_VALUES, share_p_value
from serve.contract.feature import Feature

TAIL = 0.01  # share of the reference's values beyond each end
TAIL_WARNING = 0.015  # more of the values beyond an end than in the reference
UNITS = (1, 10, 100, 1000)
DIGITS_WARNING = 0.2  # change of the share of values that are multiples of a unit
_EXACT = 1e-9  # relative; a multiple up to the rounding of float64


def measure_details(feature: Feature, reference: Sample, current: Sample) -> list[Measure]:
    """Return the tests of tails and digits; [] of a category, of few different values, and of too few rows."""
    if feature.is_category or min(len(reference.known), len(current.known)) < FEWEST_ROWS:
        return []
    if len(np.unique(reference.known)) <= FEW_VALUES:
        return []
    tails = _measure_tails(feature, reference.known, current.known)
    return [tails] if feature.type == "date" else [tails, _measure_digits(feature, reference, current)]


def _measure_tails(feature: Feature, reference: np.ndarray, current: np.ndarray) -> Measure:
    """Compare the shares below and above what all but 1 % of the reference's values keep; only a rise counts."""
    low, high = np.quantile(reference, [TAIL, 1 - TAIL])
    ends = [("below", low, reference < low, current < low), ("above", high, reference > high, current > high)]
    rises = [(float(np.mean(now) - np.mean(before)), side, end, before, now) for side, end, before, now in ends]
    p_values = [_p_value(before, now) if rise > 0 else 1.0 for rise, _, _, before, now in rises]
    rise, side, end, before, now = max(rises, key=lambda each: each[0])
    words = f"{np.mean(now):.1%} of the values are {side} {feature.show(end)}, {np.mean(before):.1%} of the reference's"
    numbers = {"tail_before": float(np.mean(before)), "tail_now": float(np.mean(now))}
    level = "warning" if rise >= TAIL_WARNING else "ok"
    return Measure("tail", feature.name, min(1.0, len(ends) * min(p_values)), level, words, numbers)


def _measure_digits(feature: Feature, reference: Sample, current: Sample) -> Measure:
    """Compare the shares of multiples of 1, 10, 100 and 1,000."""
    pairs = [tuple(_multiples(sample.known, unit) for sample in (reference, current)) for unit in UNITS]
    changes = [float(np.mean(now) - np.mean(before)) for before, now in pairs]
    p_value = min(1.0, len(UNITS) * min(_p_value(before, now) for before, now in pairs))
    most = int(np.argmax(np.abs(changes)))
    before, now = (float(np.mean(side)) for side in pairs[most])
    words = f"{now:.1%} of the values are multiples of {UNITS[most]:,}, {before:.1%} of the reference's"
    level = "warning" if abs(changes[most]) >= DIGITS_WARNING else "ok"
    return Measure("digits", feature.name, p_value, level, words, {"multiples_before": before, "multiples_now": now})


def _multiples(values: np.ndarray, unit: int) -> np.ndarray:
    return np.abs(values - unit * np.round(values / unit)) <= _EXACT * np.maximum(1, np.abs(values))


def _p_value(before: np.ndarray, now: np.ndarray) -> float:
    return share_p_value((int(before.sum()), len(before)), (int(now.sum()), len(now)))
