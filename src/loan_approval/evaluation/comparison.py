"""Two models beside each other on the same rows: how they rank, and what their decisions cost.

For the cost only the rows count that they decide differently, of four kinds: newly approved or newly denied, of either
label. Each kind has a share of the rows and what one such row saves. Where few rows of a kind are seen, or none, a
bootstrap has no spread; the exact interval of a share has.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import beta

from loan_approval.evaluation.auc import ERROR, auc_gain
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.intervals import Interval, mean_interval

Answers = tuple[np.ndarray, np.ndarray]  # (n,) probabilities and decided codes


def exact_interval(count: float, rows: float, error: float = ERROR) -> tuple[float, float]:
    """Return the interval of a share, by default of 95 %, which covers it at least as often.

    count, rows: effective numbers need not be whole.   Source: Clopper and Pearson, 1934.
    """
    low = float(beta.ppf(error, count, rows - count + 1)) if count > 0 else 0.0
    high = float(beta.ppf(1 - error, count + 1, rows - count)) if count < rows else 1.0
    return low, high


def cost_saved(
    y: np.ndarray, new: np.ndarray, old: np.ndarray, costs: Costs, groups: np.ndarray | None, error: float = ERROR
) -> Interval:
    """Return the cost an application that the (n,) new codes save against the old ones, with its interval.

    error: on either side.   By the exact intervals of the shares of rows that save and that lose; `groups` as in
    `intervals`. Below zero the new codes cost more.
    """
    saved = costs.of_decisions(y, old) - costs.of_decisions(y, new)
    return mean_interval(saved, costs.differences, groups, partial(exact_interval, error=error))


@dataclass(frozen=True)
class CostGain:
    """The cost an application that the challenger saves, with its paired 95 % interval, and what the champion's is."""

    costs: Costs
    saved: Interval
    champion: float


@dataclass(frozen=True)
class Comparison:
    """How much better the challenger is, with paired 95 % intervals; below zero: worse.

    auc: its AUC less the champion's.   cost: by the costs of its own threshold.   cost_before: by those of the
    champion's, None where the ratio is the same.   flips: of `rows` rows, how many they decide differently.
    looks: how many challengers were judged on these rows, this one included; the intervals are as much wider.
    """

    rows: int
    auc: Interval
    cost: CostGain
    cost_before: CostGain | None
    flips: dict[str, int]
    looks: int = 1


def compare(
    y: np.ndarray,
    challenger: Answers,
    champion: Answers,
    costs: tuple[Costs, Costs],
    groups: np.ndarray | None = None,
    looks: int = 1,
) -> Comparison:
    """Compare two models on (n,) labels of rows that neither was trained on.

    costs: of the challenger's rule, and of the champion's: by the challenger's alone, a model could choose the unit
    it is judged in.   groups: as in `intervals`.   With several looks at the rows, some challenger would pass by
    chance: the error is divided among them. Raises DataError when y holds a single label.
    Source: Dunn, "Multiple comparisons among means", JASA 1961.
    """
    (p_new, new), (p_old, old) = challenger, champion
    error = ERROR / looks
    auc, nothing = auc_gain(y, p_new, p_old, groups, error), Interval(0.0, 0.0, 0.0)
    is_same = np.array_equal(p_new, p_old) and np.array_equal(new, old)  # one function: nothing is left to chance

    def gain(by: Costs) -> CostGain:
        saved = nothing if is_same else cost_saved(y, new, old, by, groups, error)
        return CostGain(by, saved, float(np.mean(by.of_decisions(y, old))))

    flips = {
        "approved now, denied before": int(np.sum((new == 1) & (old == 0))),
        "denied now, approved before": int(np.sum((new == 0) & (old == 1))),
    }
    own, before = costs
    return Comparison(
        len(y), nothing if is_same else auc, gain(own), None if own.weigh_like(before) else gain(before), flips, looks
    )
