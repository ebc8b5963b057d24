"""How often the intervals cover of what decisions cost and of what one model gains on another. See `intervals`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from loan_approval.evaluation.auc import auc_gain
from loan_approval.evaluation.comparison import cost_saved
from loan_approval.evaluation.costs import Costs, compare_with_baseline
from loan_approval.evaluation.intervals import Interval, mean_interval
from loan_approval.evaluation.reliability import measure_reliability
from loan_approval.monitor.report import expect_costs
from loan_approval.training.cross_validation import FOLDS, REPEATS, CrossValidation
from loan_approval.training.folds import assign_folds

Row = tuple[str, int, object, float, int, Callable[[int], bool]]  # as `intervals.simulate` prints it
SHARES = [  # rows, shares of wrong approvals and wrong denials, cost of a wrong approval
    *((60, 0.125, 0.125, 1.0), (60, 0.2, 0.05, 10.0), (60, 0.01, 0.1, 100.0), (200, 0.05, 0.2, 10.0)),
    *((200, 0.01, 0.01, 100.0), (200, 0.001, 0.02, 10.0), (1000, 0.01, 0.1, 10.0), (1000, 0.001, 0.02, 100.0)),
    *((10_000, 0.005, 0.3, 10.0), (10_000, 0.001, 0.02, 100.0)),
]
UNITS = [(30, 0.5), (100, 0.5), (400, 0.5), (100, 1.0), (2000, 1.0)]  # units of 1 to 9 rows, and how alike these are
AUCS = [  # rows, share of the rarer label, AUC of both models, correlation of their scores
    *((60, 0.5, 0.75, 0.7, 0.5), (60, 0.5, 0.97, 0.94, 0.95), (60, 0.1, 0.75, 0.7, 0.95), (200, 0.05, 0.9, 0.9, 0.95)),
    *((200, 0.5, 0.75, 0.7, 0.95), (1000, 0.02, 0.9, 0.88, 0.95), (1000, 0.3, 0.75, 0.75, 0.999)),
    (10_000, 0.2, 0.8, 0.79, 0.95),
]
WORSE_NEAR_1 = [(60, 8), (60, 30), (200, 20), (200, 100), (400, 40)]  # rows, and those of label 1
TRAINED = [  # rows, share of the rarer label, signal, and the AUC such models have on average, of 1,500
    *((120, 0.5, 1.0, 0.7396), (250, 0.1, 1.0, 0.7333), (1000, 0.05, 2.0, 0.9173), (1000, 0.5, 0.3, 0.5751)),
    (4000, 0.3, 1.0, 0.7595),
]
FEATURES = 5


def covers(found: Interval, truth: float) -> bool:
    """Return whether an interval holds the truth, but for rounding."""
    return found.low - 1e-12 <= truth <= found.high + 1e-12


def _errors(u: np.ndarray, approvals: float, denials: float, approval: float) -> np.ndarray:
    return np.where(u < approvals, approval, np.where(u > 1 - denials, 1.0, 0.0))


def cover_cost(rows: int, approvals: float, denials: float, approval: float, number: int) -> bool:
    """Return whether the interval covers the expected cost, of such shares of wrong decisions."""
    u = np.random.default_rng([number, rows]).random(rows)
    found = mean_interval(_errors(u, approvals, denials, approval), {approval, 1.0})
    return covers(found, approval * approvals + denials)


def cover_reviewed_cost(rows: int, number: int) -> bool:
    """Return whether it covers the cost where a tenth of the rows is reviewed, at 0.2 each."""
    u = np.random.default_rng([number, rows]).random(rows)
    values = np.where(np.abs(u - 0.5) < 0.05, 0.2, _errors(u, 0.03, 0.15, 5.0))
    return covers(mean_interval(values, {5.0, 1.0, 0.2}), 0.02 + 0.15 + 0.15)


def cover_grouped_cost(units: int, alike: float, number: int) -> bool:
    """Return whether it covers the expected cost of units of rows; alike: correlation in a unit, 1.0: copies."""
    rng = np.random.default_rng([number, units])
    unit = np.repeat(np.arange(units), rng.integers(1, 10, units))
    z = np.sqrt(alike) * rng.normal(size=units)[unit] + np.sqrt(1 - alike) * rng.normal(size=len(unit))
    found = mean_interval(_errors(norm.cdf(z), 0.05, 0.15, 5.0), {5.0, 1.0}, unit)
    return covers(found, 0.4)


@dataclass(frozen=True)
class Decided:
    """Labels of right probabilities, and the codes of a model and of the one it is compared with."""

    y: np.ndarray
    p: np.ndarray
    new: np.ndarray
    old: np.ndarray


def decide(rows: int, middle: float, apart: float, number: int) -> Decided:
    """Return rows decided at 0.5, and by other scores; apart: standard deviation of the log-odds' difference."""
    rng = np.random.default_rng([number, rows])
    z = rng.normal(middle, 1.6, rows)
    other = z + rng.normal(0, apart, rows)
    return Decided((rng.random(rows) < expit(z)).astype(int), expit(z), (z >= 0).astype(int), (other >= 0).astype(int))


@cache
def truths(middle: float, apart: float) -> dict[str, float]:
    """Return what the new decisions save in expectation: against the others, and against deciding all alike."""
    z = middle + 1.6 * ndtri((np.arange(100_000) + 0.5) / 100_000)
    one, other = expit(z), norm.cdf(z / apart)  # chances of label 1, and of the other model's approval
    approval, denial = 5 * (1 - one), one
    new = np.where(z >= 0, approval, denial).mean()
    right = np.where(z >= 0, one, 1 - one).mean()
    return {
        "cost_saved": float(np.mean(other * approval + (1 - other) * denial) - new),
        "baseline_cost_saved": float(min(approval.mean(), denial.mean()) - new),
        "baseline_accuracy_gained": float(right - max(one.mean(), 1 - one.mean())),
    }


def cover_saved(rows: int, apart: float, number: int) -> bool:
    """Return whether the exact interval covers the cost that one model saves on another."""
    found = decide(rows, 0.0, apart, number + 1)
    return covers(cost_saved(found.y, found.new, found.old, Costs(5.0, 1.0), None), truths(0.0, apart)["cost_saved"])


def cover_baseline(name: str, rows: int, middle: float, number: int) -> bool:
    """Return whether the interval covers what is gained on the best decision that is the same for everybody."""
    found = decide(rows, middle, 1.0, number + 1)
    compared = compare_with_baseline(found.y, found.new, Costs(5.0, 1.0))
    return covers(Interval(**compared[name]), truths(middle, 1.0)[f"baseline_{name}"])


def cover_shadow(rows: int, apart: float, number: int) -> bool:
    """Return whether the monitor's interval covers what a challenger is expected to save, by right probabilities."""
    found = decide(rows, 0.0, apart, number + 1)
    *_, saving = expect_costs(found.p, found.new, found.old, Costs(5.0, 1.0))
    return covers(saving, truths(0.0, apart)["cost_saved"])


def cover_auc_gain(rows: int, share: float, new: float, old: float, alike: float, number: int) -> bool:
    """Return whether the paired interval covers the difference of two AUCs, of scores so correlated."""
    rng = np.random.default_rng([number, rows])
    y = (np.arange(rows) < max(2, round(rows * share))).astype(int)
    first = rng.normal(size=rows)
    second = alike * first + np.sqrt(1 - alike**2) * rng.normal(size=rows)
    found = auc_gain(y, first + np.sqrt(2) * ndtri(new) * y, second + np.sqrt(2) * ndtri(old) * y)
    return covers(found, new - old)


def gains_though_worse(rows: int, ones: int, number: int) -> bool:
    """Return whether a challenger of AUC 0.988 is said to lose surely less than it does on one of 0.999."""
    rng = np.random.default_rng([number, rows, ones])
    y = (np.arange(rows) < ones).astype(int)
    new, old = rng.normal(size=(2, rows)) + np.outer((3.2, 4.5), y)
    return auc_gain(y, new, old).low >= lost_near_1()


def lost_near_1() -> float:
    """Return what that challenger truly gains, which is a loss."""
    return float(norm.cdf(3.2 / np.sqrt(2)) - norm.cdf(4.5 / np.sqrt(2)))


def cross_validate(rows: int, share: float, signal: float, number: int) -> tuple[Interval, float]:
    """Return the interval of logistic regression's cross-validated AUC, and the mean AUC of those models in truth."""
    rng, moved = np.random.default_rng([number, rows]), np.r_[signal, np.zeros(FEATURES - 1)]
    y = (np.arange(rows) < round(rows * share)).astype(int)
    X, units = rng.normal(size=(rows, FEATURES)) + np.outer(y, moved), np.arange(rows)
    fold = np.array([assign_folds(y, units, FOLDS, repeat) for repeat in range(REPEATS)])
    p, true = np.empty(fold.shape), []
    for repeat, k in np.ndindex(REPEATS, FOLDS):
        out = fold[repeat] == k
        weights = LogisticRegression().fit(X[~out], y[~out]).coef_[0]
        p[repeat, out] = X[out] @ weights
        true.append(norm.cdf(weights @ moved / np.sqrt(2 * weights @ weights)))
    return CrossValidation(y, p, fold, units).auc(), float(np.mean(true))


def cover_cross_validated(rows: int, share: float, signal: float, truth: float, number: int) -> bool:
    """Return whether the interval covers the mean AUC of models that learn from four fifths of so many rows."""
    return covers(cross_validate(rows, share, signal, number)[0], truth)


def cover_calibration_error(rows: int, number: int) -> bool:
    """Return whether the ECE's interval covers the error of these bins, of probabilities too near to 0 and 1."""
    rng = np.random.default_rng([number, rows])
    z = rng.normal(0, 1.0, rows)
    p, q = expit(2 * z), expit(z)
    found = measure_reliability((rng.random(rows) < q).astype(int), p, number)
    edges = np.unique(np.quantile(p, np.arange(1, 10) / 10))
    many = np.random.default_rng(5).normal(0, 1.0, 200_000)
    off = np.bincount(np.searchsorted(edges, expit(2 * many)), expit(many) - expit(2 * many))
    return covers(found.ece, float(np.abs(off).sum() / len(many)))


def list_rows(simulations: int, few: int) -> Iterator[Row]:
    """Yield the rows of the table; few: simulations of those that take long."""
    for rows, approvals, denials, approval in SHARES:
        name = f"expected cost, wrong approvals at {approval:g}: {approvals:.1%}, denials {denials:.1%}"
        truth, cell = approval * approvals + denials, (rows, approvals, denials, approval)
        yield name, rows, "", truth, simulations, partial(cover_cost, *cell)
    for rows in (60, 1000):
        yield "expected cost, a tenth reviewed", rows, "", 0.32, simulations, partial(cover_reviewed_cost, rows)
    for units, alike in UNITS:
        name = f"expected cost of {units:,} units of 1 to 9 rows, {'copies' if alike == 1 else 'alike'}"
        yield name, 5 * units, "", 0.4, simulations, partial(cover_grouped_cost, units, alike)
    for rows, apart in ((60, 1.0), (380, 1.0), (4000, 0.2)):
        truth = truths(0.0, apart)["cost_saved"]
        name = f"cost saved on another model, scores apart by {apart:g} sd"
        yield name, rows, "", truth, simulations, partial(cover_saved, rows, apart)
        name = f"cost a challenger is expected to save, {apart:g} sd"
        yield name, rows, "", truth, simulations, partial(cover_shadow, rows, apart)
    for rows, middle in ((60, 0.0), (200, 2.0), (1000, 0.0), (4000, 2.0)):
        for key, title in (("accuracy_gained", "accuracy gained"), ("cost_saved", "cost saved")):
            truth, cover = truths(middle, 1.0)[f"baseline_{key}"], partial(cover_baseline, key, rows, middle)
            share = f"{1 - expit(middle):.2g}"
            yield f"{title} on deciding everybody alike", rows, share, truth, simulations, cover
    for rows, share, new, old, alike in AUCS:
        name = f"AUC gained on another model, scores correlated by {alike:g}"
        yield name, rows, share, new - old, simulations, partial(cover_auc_gain, rows, share, new, old, alike)
    for rows, ones in WORSE_NEAR_1:
        name = "challenger of AUC 0.988 against 0.999: said to lose less than it does (2.5 % at most)"
        yield name, rows, f"{ones / rows:.2g}", lost_near_1(), simulations, partial(gains_though_worse, rows, ones)
    for rows, share, signal, truth in TRAINED:
        cover = partial(cover_cross_validated, rows, share, signal, truth)
        yield "AUC, cross-validated", rows, share, truth, few, cover
    for rows in (60, 380, 2000):
        yield "calibration error (ECE)", rows, 0.5, 0.116, few, partial(cover_calibration_error, rows)
