"""Chooses the approval threshold by cost on the calibrate rows, and says how sure it is.

The cheapest cut of few rows follows their accidents, so a curve with two parameters is fitted to them first. Where
many rows show that the curve is wrong, the cheapest cut is taken. Which is better where: `make bench-intervals`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from loan_approval.errors import DataError
from loan_approval.evaluation.comparison import cost_saved
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.intervals import Interval, Z, effective_rows
from loan_approval.evaluation.thresholds import check_costs, find_cuts, total_costs
from loan_approval.training.folds import assign_folds

FOLDS, SEED = 5, 7
FEWEST_OF_A_LABEL = 50  # units of each label, for the curve to be tried against the cheapest cut
MOST_CUTS = 200  # that are compared with the cheapest
EDGE = 1e-6  # of a probability: a forest's 0 and 1 have no log-odds


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold with its 95 % interval. saved: what the cheapest cut saves an application on held-out folds.

    by_curve: whether the curve chose it, else the cheapest cut did.   saved is None where the two were not compared.
    """

    threshold: Interval
    by_curve: bool
    saved: Interval | None = None

    def in_rule(self) -> dict[str, float | list[float] | str]:
        """Return what the decision rule of a model file says of it."""
        method = "cost-weighted logistic curve" if self.by_curve else "cheapest cut"
        ends = [self.threshold.low, self.threshold.high]
        return {"threshold": self.threshold.value, "threshold_interval": ends, "threshold_method": method}

    def __str__(self) -> str:
        if self.by_curve:
            how = "where a curve fitted to the calibrate rows says that both errors are expected to cost the same"
        else:
            how = f"the cheapest cut of the calibrate rows, which saves {self.saved} an application against a curve"
        return f"threshold {self.threshold} (95 % interval), {how}"


def choose_threshold(
    y: np.ndarray, p: np.ndarray, every_p: np.ndarray, costs: Costs, groups: np.ndarray | None = None
) -> ChosenThreshold:
    """Return the approval threshold with the lowest expected cost, midway between two neighbouring scores.

    y: (n,) codes.   p: (n,) probabilities of the same rows.   every_p: (m,) probabilities of all rows, labelled or not;
    none of them lies within the parity tolerance of the threshold.   groups: as in `intervals`, units of rows.
    The cheapest cut of (y, p) is taken where it costs less than the curve's on folds that neither saw, by more than
    the exact 95 % interval. Raises DataError for costs that are not above 0 and for equal scores.
    Source: Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.
    """
    check_costs(costs.wrong_approval, costs.wrong_denial)
    scores = np.unique(np.concatenate([every_p, p]))
    cuts = find_cuts(scores)
    if not len(cuts):
        raise DataError("all rows score the same: there is no threshold between them")
    saved = _compare_on_folds(y, p, scores, costs, groups)
    if saved is not None and saved.low > 0:
        best = cut_cheapest(y, p, cuts, costs)
        return ChosenThreshold(_span_of_cut(y, p, best, cuts, costs, groups), by_curve=False, saved=saved)
    curve = fit_curve(y, p, costs, groups)
    best = cut_cheapest(curve.expected_labels(scores), scores, cuts, costs)
    even = np.abs(curve.log_odds(cuts)) <= Z * curve.standard_errors(cuts)
    return ChosenThreshold(_span(best, cuts, even), by_curve=True, saved=saved)


@dataclass(frozen=True)
class Curve:
    """A logistic curve of log-odds: weights (2,) of 1 and the score's log-odds, with their covariance (2, 2).

    Its odds are weighted by the costs: above 0, an approval is expected to cost less than a denial.
    """

    weights: np.ndarray
    covariance: np.ndarray
    costs: Costs

    def log_odds(self, scores: np.ndarray) -> np.ndarray:
        """Return (n,) cost-weighted log-odds of approval."""
        return _design(scores) @ self.weights

    def standard_errors(self, scores: np.ndarray) -> np.ndarray:
        """Return (n,) standard errors of the log-odds."""
        design = _design(scores)
        return np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))

    def expected_labels(self, scores: np.ndarray) -> np.ndarray:
        """Return (n,) probabilities of 1, the weights of the costs taken out."""
        return expit(self.log_odds(scores) + np.log(self.costs.wrong_approval / self.costs.wrong_denial))


def fit_curve(y: np.ndarray, p: np.ndarray, costs: Costs, groups: np.ndarray | None = None) -> Curve:
    """Fit the curve to (n,) codes and probabilities, each row weighted by what a wrong decision about it costs.

    The weights make the fit best near the threshold, where a curve of the wrong shape does most harm. Targets lie
    inside 0 and 1, so that separable labels have a finite curve. `groups` of equal rows say as much as their effective
    number; the covariance is that of a weighted likelihood.
    Sources: Zadrozny, Langford and Abe, "Cost-sensitive learning by cost-proportionate example weighting", 2003; Hand
    and Vinciotti, "Local versus global models for classification problems", 2003; Platt, "Probabilistic outputs for
    support vector machines", 1999, on the targets; White, "Maximum likelihood estimation of misspecified models", 1982.
    """
    share = 1.0 if groups is None else effective_rows(groups) / len(y)
    ones, zeros = share * np.sum(y), share * np.sum(1 - y)
    target = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    for_one, for_zero = costs.wrong_denial * target, costs.wrong_approval * (1 - target)
    weight = for_one + for_zero
    design, scale = _design(p), np.sum(weight)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z = design @ weights
        return float(weight @ np.logaddexp(0, z) - for_one @ z) / scale, design.T @ (
            weight * expit(z) - for_one
        ) / scale

    weights = minimize(loss, np.zeros(2), jac=True, options={"gtol": 1e-9}).x
    q = expit(design @ weights)
    curve = Curve(weights, np.zeros((2, 2)), costs)
    label = curve.expected_labels(p)
    scatter = label * (costs.wrong_denial * (1 - q)) ** 2 + (1 - label) * (costs.wrong_approval * q) ** 2
    inverse = np.linalg.pinv((design.T * (weight * q * (1 - q))) @ design)
    return Curve(weights, inverse @ ((design.T * scatter) @ design) @ inverse / share, costs)


def _design(scores: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(scores)), logit(np.clip(scores, EDGE, 1 - EDGE))])


def cut_cheapest(y: np.ndarray, p: np.ndarray, cuts: np.ndarray, costs: Costs) -> float:
    """Return the cut with the lowest cost for (n,) labels, which may be expected ones; of several, the middle one."""
    cost = total_costs(y, p, cuts, costs.wrong_approval, costs.wrong_denial)
    best = cuts[cost == cost.min()]
    return float(best[len(best) // 2])


def _compare_on_folds(
    y: np.ndarray, p: np.ndarray, scores: np.ndarray, costs: Costs, groups: np.ndarray | None
) -> Interval | None:
    """Return what the cheapest cut of the other folds saves an application against their curve; None for few rows."""
    groups = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if min(len(np.unique(groups[y == code])) for code in (0, 1)) < FEWEST_OF_A_LABEL:
        return None
    cuts, fold = find_cuts(scores), assign_folds(y, groups, FOLDS, SEED)
    by_curve, by_cut = np.empty(len(y)), np.empty(len(y))
    for out in (fold == number for number in range(FOLDS)):
        curve = fit_curve(y[~out], p[~out], costs, groups[~out])
        by_curve[out] = p[out] >= cut_cheapest(curve.expected_labels(scores), scores, cuts, costs)
        by_cut[out] = p[out] >= cut_cheapest(y[~out], p[~out], cuts, costs)
    return cost_saved(y, by_cut, by_curve, costs, groups)


def _span_of_cut(
    y: np.ndarray, p: np.ndarray, best: float, cuts: np.ndarray, costs: Costs, groups: np.ndarray | None
) -> Interval:
    """Return the cut with the range of the cuts that these rows can't tell from it by their cost."""
    tried = cuts[np.unique(np.linspace(0, len(cuts) - 1, MOST_CUTS).astype(int))]
    alike = [cost_saved(y, p >= best, p >= cut, costs, groups).low <= 0 for cut in tried]
    return _span(best, tried, np.array(alike))


def _span(best: float, cuts: np.ndarray, possible: np.ndarray) -> Interval:
    """Return the cut with the range of the possible ones; open to 0 or 1 where the outermost cut is one of them."""
    found = cuts[possible]
    low, high = (found[0], found[-1]) if len(found) else (best, best)
    return Interval(best, 0.0 if low == cuts[0] else float(low), 1.0 if high == cuts[-1] else float(high))
