"""Ratios and differences of two groups' rates, with intervals that cover them, and what they say of four fifths.

counts and rows may be effective numbers (Kish), where rows are copies of each other.
"""

from functools import partial
from math import inf, sqrt

from scipy.stats import norm

from loan_approval.evaluation.intervals import Interval, combine_shares, wilson_interval

FOUR_FIFTHS = 0.8
BELOW, AT_OR_ABOVE, UNSURE = "below four fifths", "at or above four fifths", "unsure"  # calls on four fifths
LEVEL = 0.05
Rate = tuple[float, float]  # count, rows


def rate_ratio(group: Rate, reference: Rate, level: float = LEVEL) -> Interval | None:
    """Return the group's rate over the reference's with its interval; None where the reference's is 0.

    By Wilson's interval of each (MOVER): a log scale has no room for a small group that is approved to the last row.
    Sources: Donner and Zou, "Closed-form confidence intervals for functions of the normal mean and standard deviation",
    2012; recommended by Fagerland et al., "Recommended confidence intervals for two independent binomial proportions",
    2015.
    """
    if not reference[0] or not group[1]:
        return None
    (p, own), (q, other) = (
        (count / rows, wilson_interval(count, rows, norm.ppf(1 - level / 2))) for count, rows in (group, reference)
    )
    products = [(a * (2 * p - a), b * (2 * q - b)) for a, b in zip(own, reversed(other), strict=True)]
    roots = [p * q + sqrt(max(0.0, (p * q) ** 2 - a * b)) for a, b in products]
    return Interval(p / q, products[0][0] / roots[0] if p else 0.0, roots[1] / products[1][1])


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
