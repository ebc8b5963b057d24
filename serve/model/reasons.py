"""The principal reasons for a decision, with codes and texts, as an adverse-action notice needs them.

Source: Regulation B, 12 CFR 1002.9(b)(2), its official interpretation (specific reasons, of the factors that were
scored; more than four are not likely to help; how a factor counted need not be stated) and form C-1 in its Appendix C.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serve.contract.feature import Feature
from serve.model.scorer import Scorer, name_band
from serve.model.shapley import Explainer, Explanation

MOST_REASONS = 4
NOTHING = 1e-6  # log-odds: a smaller effect is no reason, and effects equal to six decimals are tied
LEAST_SHARE = 0.02  # of the largest effect: a smaller one is not a principal reason
PAUSE_SECONDS = 0.00005  # after each of many rows, since a thread that answers waits for the interpreter meanwhile
_TEXTS = {
    "en": {
        **{"missing": "{}: not given", "low": "{}: too low", "high": "{}: too high", "for": "{}: favourable"},
        **{"early": "{}: too early", "late": "{}: too late", "plain": "{}: compared with approved applicants"},
        "withheld": "{}: not given, and a higher one counts in favour",
    },
    "pt": {
        **{"missing": "{}: sem informação", "low": "{}: abaixo do necessário", "high": "{}: acima do aceitável"},
        **{"early": "{}: cedo demais", "late": "{}: tarde demais", "for": "{}: favorável"},
        "plain": "{}: em comparação com os pedidos aprovados",
        "withheld": "{}: sem informação, e um valor maior conta a favor",
    },
}


@dataclass(frozen=True)
class Reason:
    """A feature that counted: `effect` is "against" or "for" approval; `kind` selects the text."""

    feature: Feature
    effect: str
    kind: str

    @property
    def code(self) -> str:
        """The feature's code, with a suffix if its absence counted."""
        return self.feature.code + (".MISSING" if self.kind in ("missing", "withheld") else "")

    def text(self, language: str) -> str:
        """Return the reason in words."""
        return _TEXTS[language][self.kind].format(self.feature.title(language))

    def to_dict(self, write: Callable[[Callable[[str], str]], Any]) -> dict[str, Any]:
        """Return the document of this reason; `write` chooses the language of its text."""
        return {"code": self.code, "feature": self.feature.name, "effect": self.effect, "text": write(self.text)}


def explain_decision(
    scorer: Scorer, explainer: Explainer, X: np.ndarray, probability: float
) -> tuple[Explanation, list[Reason]]:
    """Return the explanation of the decision on one (1, F) row, and its principal reasons.

    explainer: the scorer's.   Raises ArithmeticError if the explanation is not finite.
    """
    explanation = explainer.explain(X)
    approved = name_band(probability, *scorer.review_band) == "approve"
    return explanation, principal_reasons(scorer.contract.scored, X, explanation, explainer.middles, approved)


def reason_codes(scorer: Scorer, explainer: Explainer, X: np.ndarray) -> list[list[str]]:
    """Return the codes of the principal reasons for each of (n, F) rows, each decided alone.

    Raises ArithmeticError if an explanation is not finite.
    """
    codes = []
    for row in X[:, None]:
        _, reasons = explain_decision(scorer, explainer, row, scorer.score_one(row))
        codes.append([reason.code for reason in reasons])
        time.sleep(PAUSE_SECONDS)
    return codes


def principal_reasons(
    features: Sequence[Feature], X: np.ndarray, explanation: Explanation, middles: np.ndarray, approved: bool
) -> list[Reason]:
    """Return up to four reasons, the largest effect first: for an approval those for it, else those against it.

    features: the F scored ones.   X: (1, F).   middles: (F,), of the approved applicants X was compared with.
    Ties keep the order of the contract; the list is empty if no feature had that effect.
    Raises ArithmeticError if the explanation is not finite.
    """
    if not np.all(np.isfinite(explanation.values)):
        raise ArithmeticError("the explanation is not finite")
    effect, sign = ("for", 1) if approved else ("against", -1)
    weights = sign * explanation.values
    least = max(NOTHING, LEAST_SHARE * float(weights.max()))
    columns = [column for column, weight in enumerate(weights) if weight > least]
    columns.sort(key=lambda column: (-round(float(weights[column]), 6), column))
    return [
        Reason(features[column], effect, _kind(features[column], effect, X[0, column], middles[column]))
        for column in columns[:MOST_REASONS]
    ]


def _kind(feature: Feature, effect: str, value: float, middle: float) -> str:
    """Return the kind of text for a value.

    "low" needs a direction of 1, more than two possible values and a middle of the approved applicants above the value;
    "high" likewise. Of a date they are "early" and "late". Of a protected feature neither is stated. "withheld" is an
    age that is scored and not given.
    """
    if np.isnan(value):
        return "withheld" if effect == "against" and feature.elderly_from is not None else "missing"
    if effect == "for":
        return "for"
    has_two_values = feature.is_whole and feature.max - feature.min == 1
    if has_two_values or feature.protected:
        return "plain"
    low, high = ("early", "late") if feature.type == "date" else ("low", "high")
    if feature.direction > 0 and value < middle:
        return low
    return high if feature.direction < 0 and value > middle else "plain"
