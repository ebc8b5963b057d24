"""The least that a model must beat: the same answer to everybody."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.metrics import Interval, bootstrap, expected_cost


def compare_with_baseline(y: np.ndarray, decided: np.ndarray, costs: Costs, seed: int) -> dict[str, Any]:
    """Return how (n,) decided codes fare against the same answer to everybody, as a JSON document.

    `accuracy` and `cost` (expected, an application) are {model, baseline}; `accuracy_gained` and `cost_saved` are the
    paired differences with 95 % intervals, below zero where the model is worse. For each figure the baseline gives the
    better of the two answers on these very rows, which favours it. `words` say it in one sentence.
    """
    common = int(np.mean(y) >= 0.5)
    always = [costs.wrong_denial * (y == 1), costs.wrong_approval * (y == 0)]  # (n,) costs of denying, of approving all
    cheaper = int(np.mean(always[1]) <= np.mean(always[0]))
    wrong = np.where(y == 1, costs.wrong_denial, costs.wrong_approval) * (decided != y)
    gained, saved = (decided == y).astype(float) - (y == common), always[cheaper] - wrong
    found = {
        "accuracy": {"model": float(np.mean(decided == y)), "baseline": float(np.mean(y == common))},
        "accuracy_gained": asdict(_mean(gained, seed)),
        "cost": {
            "model": expected_cost(y, decided, costs.wrong_approval, costs.wrong_denial),
            "baseline": float(np.mean(always[cheaper])),
        },
        "cost_saved": asdict(_mean(saved, seed)),
    }
    return found | {"words": _describe(found)}


def _describe(found: Mapping[str, Any]) -> str:
    accuracy, cost = found["accuracy"], found["cost"]
    return (
        f"Against the same answer to everybody: accuracy {accuracy['model']:.4f} where that has "
        f"{accuracy['baseline']:.4f} ({_judge(found['accuracy_gained'])}), expected cost {cost['model']:.4f} an "
        f"application where that has {cost['baseline']:.4f} ({_judge(found['cost_saved'])})."
    )


def _judge(gain: Mapping[str, float]) -> str:
    if gain["low"] > 0:
        return "better"
    return "worse" if gain["high"] < 0 else "not to be told from it"


def _mean(values: np.ndarray, seed: int) -> Interval:
    return bootstrap(lambda rows: float(np.mean(values[rows])), len(values), seed)
