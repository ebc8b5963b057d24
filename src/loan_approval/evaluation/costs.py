"""What decisions cost: in words that fit the contract's target, by threshold, with a review band, on given rows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loan_approval.evaluation.metrics import bootstrap
from loan_approval.evaluation.thresholds import review_bands, total_costs

CURVE = np.linspace(0.05, 0.95, 19)  # thresholds of the curve that the evidence keeps


@dataclass(frozen=True)
class CostWords:
    """What a contract's target makes of the two ways to err, of their expected cost, and of deciding rightly."""

    wrong_approval: str
    wrong_denial: str
    cost: str
    right: str  # to be formatted with a share


def name_errors(meaning: str) -> CostWords:
    """Return the words for a target that means `past_decision` or `repaid`."""
    if meaning == "repaid":
        right = "is right about {:.1%} of the loans"
        return CostWords("a bad loan approved", "a good loan lost", "expected cost an application", right)
    return CostWords(
        "approving what the past decision denied",
        "denying what the past decision approved",
        "expected cost an application of disagreeing with past decisions",
        "agrees with {:.1%} of the past decisions",
    )


@dataclass(frozen=True)
class Costs:
    """The costs of one wrong approval, one wrong denial and, where it is known, one review, all in one unit."""

    wrong_approval: float
    wrong_denial: float
    review: float | None = None

    @classmethod
    def of_rule(cls, rule: Mapping[str, Any]) -> "Costs":
        """Return the costs that a model file's decision rule was made from; 1 where an old one does not say."""
        approval, denial = rule.get("cost_wrong_approval", 1.0), rule.get("cost_wrong_denial", 1.0)
        return cls(float(approval), float(denial), rule.get("cost_review"))

    def of_rows(self, y: np.ndarray, p: np.ndarray, threshold: float, band: tuple[float, float]) -> np.ndarray:
        """Return (n,) costs when [low, high) is referred: 0, or a review's cost, for a row that a person looks at."""
        wrong = np.where(p >= threshold, self.wrong_approval * (y == 0), self.wrong_denial * (y == 1))
        return np.where(review_bands(p, *band) == 1, self.review or 0.0, wrong)


def cost_curve(y: np.ndarray, p: np.ndarray, thresholds: np.ndarray, costs: Costs) -> tuple[np.ndarray, np.ndarray]:
    """Return (k,) expected costs an application and (k,) approval rates at (k,) thresholds on (n,) rows."""
    total = total_costs(y, p, thresholds, costs.wrong_approval, costs.wrong_denial)
    return total / len(y), 1 - np.searchsorted(np.sort(p), thresholds) / len(p)


def referral_curve(
    y: np.ndarray, p: np.ndarray, threshold: float, band: tuple[float, float], scales: np.ndarray, costs: Costs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return widths, expected costs and shares referred, each (k,), as the band is scaled about the threshold.

    scales: (k,), 0 is no band and 1 the given one. The cost is of what is still decided, with the reviews' where known.
    """
    lows, highs = (np.clip(threshold + scales * (end - threshold), 0, 1) for end in band)
    cost, share = [], []
    for ends in zip(lows, highs, strict=True):
        cost.append(np.mean(costs.of_rows(y, p, threshold, ends)))
        share.append(np.mean(review_bands(p, *ends) == 1))
    return highs - lows, np.array(cost), np.array(share)


def describe_costs(
    rule: Mapping[str, Any], band: tuple[float, float], meaning: str, y: np.ndarray, p: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return a decision rule and what it costs on (n,) rows as a JSON document, for the model card.

    `cost`: everybody decided by the threshold. `cost_with_review`: the band referred; a review costs what the rule
    says, and nothing where it doesn't. Both are means an application, with 95 % bootstrap intervals.
    """
    costs, threshold = Costs.of_rule(rule), float(rule["threshold"])
    decided = costs.of_rows(y, p, threshold, (threshold, threshold))
    referred = costs.of_rows(y, p, threshold, band)
    curve, approved = cost_curve(y, p, CURVE, costs)
    steps = zip(CURVE.tolist(), curve.tolist(), approved.tolist(), strict=True)
    return {
        "threshold": threshold,
        "review_band": list(band) if band[0] < band[1] else None,
        "review_width": rule.get("review_width"),
        "costs": asdict(costs),
        "words": {name: text for name, text in asdict(name_errors(meaning)).items() if name != "right"},
        "cost": asdict(bootstrap(lambda rows: float(np.mean(decided[rows])), len(y), seed)),
        "cost_with_review": asdict(bootstrap(lambda rows: float(np.mean(referred[rows])), len(y), seed)),
        "approval_rate": float(np.mean(p >= threshold)),
        "share_referred": float(np.mean(review_bands(p, *band) == 1)),
        "curve": [{"threshold": round(t, 2), "cost": c, "approval_rate": a} for t, c, a in steps],
    }
