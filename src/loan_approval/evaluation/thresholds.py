"""Costs by threshold, the cuts that may be one, and the band of scores that a person looks at."""

import numpy as np

from loan_approval.errors import DataError, ParameterError
from serve.model.scorer import TOLERANCE

_WIDE = 4 * TOLERANCE  # of a gap between scores that a bound may lie in


def total_costs(
    y: np.ndarray, p: np.ndarray, thresholds: np.ndarray, cost_wrong_approval: float, cost_wrong_denial: float
) -> np.ndarray:
    """Return (k,) costs of deciding all (n,) rows at each of (k,) thresholds; y: codes, or probabilities of 1."""
    order = np.argsort(p)
    denied = np.searchsorted(p[order], thresholds)
    wrong_denials = np.concatenate([[0], np.cumsum(y[order])])[denied]
    wrong_approvals = np.sum(1 - y) - np.concatenate([[0], np.cumsum(1 - y[order])])[denied]
    return cost_wrong_approval * wrong_approvals + cost_wrong_denial * wrong_denials


def choose_review_band(
    threshold: float,
    every_p: np.ndarray,
    cost_wrong_approval: float,
    cost_wrong_denial: float,
    review_width: float = 0.0,
    cost_review: float | None = None,
) -> dict[str, list[float] | float]:
    """Return what the decision rule says of its review band, and what that was made from; empty for no band.

    A person looks at [low, high), 0 <= low <= threshold <= high <= 1.
    review_width: of the whole band in probability, the threshold in its middle, in [0, 1].
    cost_review: of one review, > 0, in the unit of the other costs: referred is where a decision at the threshold is
    expected to cost more, given calibrated p: p * cost_wrong_denial for a denial, (1 - p) * cost_wrong_approval else.
    A bound within the parity tolerance of one of every_p (m,) moves to the middle of the nearest gap between scores.
    Raises ParameterError when both are given. Source: Chow, "On optimum recognition error and reject tradeoff", 1970.
    """
    check_costs(cost_wrong_approval, cost_wrong_denial)
    _check_review(review_width, cost_review)
    low, high = threshold - review_width / 2, threshold + review_width / 2
    if cost_review is not None:
        low = min(threshold, cost_review / cost_wrong_denial)
        high = max(threshold, 1 - cost_review / cost_wrong_approval)
    cuts = np.append(find_cuts(every_p), threshold)
    low = _clear_of(every_p, max(0.0, low), cuts[cuts <= threshold])
    high = _clear_of(every_p, min(1.0, high), cuts[cuts >= threshold])
    made_from = {"review_width": review_width} if review_width else {"cost_review": cost_review}
    return {"review_band": [low, high], **made_from} if low < high else {}


def review_bands(p: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return (n,) 0 decline, 1 refer, 2 approve, as the server names them: refer from `low` on, approve from `high`."""
    return np.digitize(p, [low, high])


def check_costs(cost_wrong_approval: float, cost_wrong_denial: float) -> None:
    """Raise DataError for a cost that is not above 0."""
    if cost_wrong_approval <= 0 or cost_wrong_denial <= 0:
        raise DataError(f"costs are {cost_wrong_approval} and {cost_wrong_denial}, expected both above 0")


def _check_review(review_width: float, cost_review: float | None) -> None:
    if review_width and cost_review is not None:
        raise ParameterError(
            f"review_width is {review_width} and cost_review {cost_review}, expected one of them: "
            "the band has a given width, or follows from a review's cost"
        )
    if not 0 <= review_width <= 1:
        raise ParameterError(f"review_width is {review_width}, expected 0 to 1")
    if cost_review is not None and not cost_review > 0:
        raise ParameterError(f"cost_review is {cost_review}, expected above 0")


def find_cuts(scores: np.ndarray) -> np.ndarray:
    """Return the middles of the gaps between neighbouring scores that are wide enough."""
    scores = np.unique(scores)
    return ((scores[:-1] + scores[1:]) / 2)[np.diff(scores) > _WIDE]


def _clear_of(scores: np.ndarray, bound: float, cuts: np.ndarray) -> float:
    """Return the bound, or the nearest cut where a score is too near to it."""
    if np.min(np.abs(scores - bound)) > _WIDE / 2:
        return float(bound)
    return float(cuts[np.argmin(np.abs(cuts - bound))])
