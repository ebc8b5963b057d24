"""A model against the constant baseline, and a challenger against the champion: paired on the same rows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.metrics import Interval, bootstrap, bootstrap_mean, fast_auc

Answers = tuple[np.ndarray, np.ndarray]  # (n,) probabilities of one model, (n,) codes decided at its own threshold


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


def compare(y: np.ndarray, challenger: Answers, champion: Answers, costs: Costs, seed: int) -> Comparison:
    """Compare two models on (n,) labels of rows that neither was trained on.

    Each draw takes the same rows for both, so that what makes a row hard for both cancels out.
    """
    (p_new, new), (p_old, old) = challenger, champion
    auc = bootstrap(lambda rows: fast_auc(y[rows], p_new[rows]) - fast_auc(y[rows], p_old[rows]), len(y), seed)
    cost = bootstrap_mean(costs.of_decisions(y, old) - costs.of_decisions(y, new), seed)
    flips = {
        "approved now, denied before": int(np.sum((new == 1) & (old == 0))),
        "denied now, approved before": int(np.sum((new == 0) & (old == 1))),
    }
    return Comparison(len(y), auc, cost, flips)


def compare_with_baseline(y: np.ndarray, decided: np.ndarray, costs: Costs, seed: int) -> dict[str, Any]:
    """Return how (n,) decided codes fare against the constant baseline, as a JSON document.

    The baseline decides all rows alike. `accuracy` and `cost` (expected, an application) are {model, baseline};
    `accuracy_gained` and `cost_saved` are the paired differences with 95 % intervals, below zero where the model is
    worse. For each figure the baseline takes the better decision on these very rows, which favours it.
    """
    common = int(np.mean(y) >= 0.5)
    constant = min((costs.of_decisions(y, code) for code in (1, 0)), key=np.mean)
    model = costs.of_decisions(y, decided)
    compared = {
        "accuracy": {"model": float(np.mean(decided == y)), "baseline": float(np.mean(y == common))},
        "accuracy_gained": asdict(bootstrap_mean((decided == y).astype(float) - (y == common), seed)),
        "cost": {"model": float(np.mean(model)), "baseline": float(np.mean(constant))},
        "cost_saved": asdict(bootstrap_mean(constant - model, seed)),
    }
    accuracy, cost = compared["accuracy"], compared["cost"]
    words = (
        f"Against the constant baseline: accuracy {accuracy['model']:.4f}, the baseline's {accuracy['baseline']:.4f} "
        f"({_describe_gain(compared['accuracy_gained'])}); expected cost an application {cost['model']:.4f}, the "
        f"baseline's {cost['baseline']:.4f} ({_describe_gain(compared['cost_saved'])})."
    )
    return compared | {"words": words}


def _describe_gain(gain: Mapping[str, float]) -> str:
    if gain["low"] > 0:
        return "better"
    return "worse" if gain["high"] < 0 else "no clear difference"
