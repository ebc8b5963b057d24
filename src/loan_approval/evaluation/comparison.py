"""A challenger against the champion: the same test rows, answered by both."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.metrics import Interval, bootstrap, fast_auc


@dataclass(frozen=True)
class Answers:
    """What one model says of n rows: (n,) probabilities, and (n,) codes decided at its own threshold."""

    p: np.ndarray
    decided: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """How much better the challenger is, with paired 95 % intervals; below zero: worse.

    auc: its AUC less the champion's.   cost: the cost it saves an application, in the unit of the costs.
    flips: how many of `rows` rows the two decide differently, by direction.
    """

    rows: int
    auc: Interval
    cost: Interval
    flips: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a JSON document."""
        return asdict(self)


def compare(y: np.ndarray, challenger: Answers, champion: Answers, costs: Costs, seed: int) -> Comparison:
    """Compare two models on (n,) labels of rows that neither learnt from.

    Rows are drawn for both at once, so that what makes a row hard for both cancels out.
    """
    saving = savings(y, challenger.decided, champion.decided, costs)
    auc = bootstrap(
        lambda rows: fast_auc(y[rows], challenger.p[rows]) - fast_auc(y[rows], champion.p[rows]), len(y), seed
    )
    cost = bootstrap(lambda rows: float(np.mean(saving[rows])), len(y), seed)
    return Comparison(len(y), auc, cost, count_flips(challenger.decided, champion.decided))


def savings(y: np.ndarray, new: np.ndarray, old: np.ndarray, costs: Costs) -> np.ndarray:
    """Return (n,) what deciding `new` rather than `old` saves on each row."""
    wrong = np.where(y == 1, costs.wrong_denial, costs.wrong_approval)
    return wrong * ((old != y).astype(float) - (new != y))


def count_flips(new: np.ndarray, old: np.ndarray) -> dict[str, int]:
    """Return how many rows are decided differently, by direction."""
    return {
        "approved now, denied before": int(np.sum((new == 1) & (old == 0))),
        "denied now, approved before": int(np.sum((new == 0) & (old == 1))),
    }
