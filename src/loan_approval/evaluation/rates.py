"""Ratios and differences of two groups' rates, with intervals that cover them, and what they say of four fifths.

counts and rows may be effective numbers (Kish), where rows are copies of each other.
"""

from functools import partial
from math import exp, inf, log, sqrt

from scipy.stats import norm

from loan_approval.evaluation.intervals import Interval, combine_shares, wilson_interval

FOUR_FIFTHS = 0.8
BELOW, AT_OR_ABOVE, UNSURE = "below four fifths", "at or above four fifths", "unsure"  # calls on four fifths
LEVEL = 0.05
Rate = tuple[float, float]  # count, rows


def rate_ratio(group: Rate, reference: Rate, level: float = LEVEL) -> Interval | None:
    """Return the group's rate over the reference's with its interval; None where the reference's is 0.

    On the log scale, with half a row added to each count, so that a rate of 0 has an interval too.
    Sources: Katz et al., "Obtaining confidence intervals for the risk ratio in cohort studies", 1978; Walter, "The
    distribution of Levin's measure of attributable risk", 1975, on the halves.
    """
    (count, rows), (of_reference, reference_rows) = group, reference
    if not of_reference or not rows:
        return None
    parts = [(count + 0.5, rows + 0.5), (of_reference + 0.5, reference_rows + 0.5)]
    middle = log(parts[0][0] / parts[0][1]) - log(parts[1][0] / parts[1][1])
    reach = norm.ppf(1 - level / 2) * sqrt(sum(1 / k - 1 / n for k, n in parts))
    return Interval(count / rows / (of_reference / reference_rows), exp(middle - reach), exp(middle + reach))


def rate_difference(group: Rate, reference: Rate, level: float = LEVEL) -> Interval:
    """Return the group's rate less the reference's with its interval, from Wilson's of each: Newcombe's method 10."""
    wilson = partial(wilson_interval, z=norm.ppf(1 - level / 2))
    return combine_shares([(1, *group), (-1, *reference)], wilson)


def judge_four_fifths(group: Rate, reference: Rate, comparisons: int) -> str:
    """Return `BELOW`, `AT_OR_ABOVE` or `UNSURE`.

    Of so many comparisons any call is wrong in at most 5 %: the interval that calls is widened after Bonferroni.
    """
    widened = rate_ratio(group, reference, LEVEL / max(1, comparisons))
    low, high = (widened.low, widened.high) if widened else (0.0, inf)
    if high < FOUR_FIFTHS:
        return BELOW
    return AT_OR_ABOVE if low >= FOUR_FIFTHS else UNSURE
