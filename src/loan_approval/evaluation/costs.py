"""What decisions cost: by threshold, with a review band, against the constant baseline and against the champion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isclose
from typing import Any

import numpy as np

from loan_approval.evaluation.intervals import mean_interval
from loan_approval.evaluation.thresholds import review_bands, total_costs

CURVE = np.linspace(0.05, 0.95, 19)  # thresholds of the curve that the evidence keeps


@dataclass(frozen=True)
class CostWords:
    """Words for the two kinds of error, their expected cost, and the share of right decisions (a format)."""

    wrong_approval: str
    wrong_denial: str
    cost: str
    right: str


def name_errors(meaning: str) -> CostWords:
    """Return the words for a target that means `past_decision` or `repaid`."""
    cost = "expected cost an application"
    if meaning == "repaid":
        return CostWords("a bad loan approved", "a good loan lost", cost, "is right about {:.1%} of the loans")
    errors = "approving what the past decision denied", "denying what the past decision approved"
    return CostWords(*errors, f"{cost} of disagreeing with past decisions", "agrees with {:.1%} of the past decisions")


@dataclass(frozen=True)
class Costs:
    """The costs of one wrong approval, one wrong denial and, where it is known, one review, all in one unit."""

    wrong_approval: float
    wrong_denial: float
    review: float | None = None

    @property
    def differences(self) -> set[float]:
        """What one decision can save or lose against another."""
        return {sign * cost for sign in (1, -1) for cost in (self.wrong_approval, self.wrong_denial)}

    @classmethod
    def of_rule(cls, rule: Mapping[str, Any]) -> "Costs":
        """Return the costs in a model file's decision rule; 1 where an old one has none."""
        approval, denial = rule.get("cost_wrong_approval", 1.0), rule.get("cost_wrong_denial", 1.0)
        return cls(float(approval), float(denial), rule.get("cost_review"))

    def weigh_like(self, other: "Costs") -> bool:
        """Return whether both have the same ratio, in whatever units: then they choose and judge alike."""
        return isclose(self.wrong_approval * other.wrong_denial, other.wrong_approval * self.wrong_denial)

    def of_decisions(self, y: np.ndarray, decided: np.ndarray | int) -> np.ndarray:
        """Return (n,) costs of the decided codes, or of one code for all rows."""
        return np.where(y == 1, self.wrong_denial, self.wrong_approval) * (decided != y)

    def of_rows(self, y: np.ndarray, p: np.ndarray, threshold: float, band: tuple[float, float]) -> np.ndarray:
        """Return (n,) costs when [low, high) is referred: 0, or a review's cost, for a row that a person looks at."""
        return np.where(review_bands(p, *band) == 1, self.review or 0.0, self.of_decisions(y, p >= threshold))


def cost_curve(y: np.ndarray, p: np.ndarray, thresholds: np.ndarray, costs: Costs) -> tuple[np.ndarray, np.ndarray]:
    """Return (k,) expected costs an application and (k,) approval rates at (k,) thresholds on (n,) rows."""
    total = total_costs(y, p, thresholds, costs.wrong_approval, costs.wrong_denial)
    return total / len(y), 1 - np.searchsorted(np.sort(p), thresholds) / len(p)


def referral_curve(
    y: np.ndarray, p: np.ndarray, threshold: float, band: tuple[float, float], scales: np.ndarray, costs: Costs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return widths, expected costs and shares referred, each (k,), as the band is scaled about the threshold.

    scales: (k,), 0 is no band and 1 the given one. The cost includes that of the reviews where it is known.
    """
    lows, highs = (np.clip(threshold + scales * (end - threshold), 0, 1) for end in band)
    bands = list(zip(lows, highs, strict=True))
    cost = np.array([np.mean(costs.of_rows(y, p, threshold, ends)) for ends in bands])
    return highs - lows, cost, np.array([np.mean(review_bands(p, *ends) == 1) for ends in bands])


def describe_costs(
    rule: Mapping[str, Any],
    band: tuple[float, float],
    meaning: str,
    y: np.ndarray,
    p: np.ndarray,
    groups: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return a decision rule and its costs on (n,) rows as a JSON document, for the model card.

    `cost`: all rows decided by the threshold. `cost_with_review`: the band referred, at the rule's cost of a review,
    else at no cost. Both are means an application, with 95 % intervals over `groups` of equal rows.
    """
    costs, threshold = Costs.of_rule(rule), float(rule["threshold"])
    decided = costs.of_rows(y, p, threshold, (threshold, threshold))
    referred = costs.of_rows(y, p, threshold, band)
    errors = {costs.wrong_approval, costs.wrong_denial}
    curve, approved = cost_curve(y, p, CURVE, costs)
    steps = zip(CURVE.tolist(), curve.tolist(), approved.tolist(), strict=True)
    return {
        "threshold": threshold,
        "review_band": list(band) if band[0] < band[1] else None,
        "review_width": rule.get("review_width"),
        "costs": asdict(costs),
        "words": {name: text for name, text in asdict(name_errors(meaning)).items() if name != "right"},
        "cost": asdict(mean_interval(decided, errors, groups)),
        "cost_with_review": asdict(mean_interval(referred, errors | {costs.review or 0.0}, groups)),
        "approval_rate": float(np.mean(p >= threshold)),
        "share_referred": float(np.mean(review_bands(p, *band) == 1)),
        "curve": [{"threshold": round(t, 2), "cost": c, "approval_rate": a} for t, c, a in steps],
    }


def compare_with_baseline(
    y: np.ndarray, decided: np.ndarray, costs: Costs, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """Return how (n,) decided codes fare against the constant baseline, as a JSON document.

    The baseline decides all rows alike. `accuracy` and `cost` (expected, an application) are {model, baseline};
    `accuracy_gained` and `cost_saved` are the paired differences with 95 % intervals, below zero where the model is
    worse. For each figure the baseline takes the better decision on these very rows, which favours it.
    """
    common = int(np.mean(y) >= 0.5)
    code = min((1, 0), key=lambda code: np.mean(costs.of_decisions(y, code)))
    constant, model = costs.of_decisions(y, code), costs.of_decisions(y, decided)
    saved = {costs.wrong_approval, -costs.wrong_denial} if code else {-costs.wrong_approval, costs.wrong_denial}
    right = (decided == y).astype(float)
    compared = {
        "accuracy": {"model": float(np.mean(right)), "baseline": float(np.mean(y == common))},
        "accuracy_gained": asdict(mean_interval(right - (y == common), (1, -1), groups)),
        "cost": {"model": float(np.mean(model)), "baseline": float(np.mean(constant))},
        "cost_saved": asdict(mean_interval(constant - model, saved, groups)),
    }
    accuracy, cost = compared["accuracy"], compared["cost"]
    words = (
        f"Against the best decision that is the same for everybody: accuracy {accuracy['model']:.3f} against "
        f"{accuracy['baseline']:.3f} ({_describe_gain(compared['accuracy_gained'])}); expected cost an application "
        f"{cost['model']:.3f} against {cost['baseline']:.3f} ({_describe_gain(compared['cost_saved'])})."
    )
    if compared["cost_saved"]["low"] <= 0:
        words += " That it costs less than deciding everybody alike is not shown."
    return compared | {"words": words}


def _describe_gain(gain: Mapping[str, float]) -> str:
    if gain["low"] > 0:
        return "better"
    return "worse" if gain["high"] < 0 else "no clear difference"
