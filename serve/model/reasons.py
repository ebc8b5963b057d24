"""The principal reasons for a decision, with codes and texts, as an adverse-action notice needs them.

Source: Regulation B, 12 CFR 1002.9(b)(2), its official interpretation (specific reasons, of the factors really scored;
more than four are not likely to help; how a factor counted need not be said) and sample form C-1 in its Appendix C.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serve.contract.feature import Feature
from serve.contract.wording import code_feature, name_feature
from serve.model.shapley import Explanation

MOST_REASONS = 4
NOTHING = 1e-6  # log-odds: what adds no more than this is no reason, and reasons no further apart are tied
_DIGITS = 6  # of `NOTHING`
LEAST_SHARE = 0.02  # of the weightiest: what adds less is true, but no principal reason
_TEXTS = {
    "en": {"missing": "{}: not given", "low": "{}: too low", "high": "{}: too high", "for": "{}: favourable"},
    "pt": {
        **{"missing": "{}: sem informação", "low": "{}: abaixo do necessário", "high": "{}: acima do aceitável"},
        "for": "{}: favorável",
    },
}


@dataclass(frozen=True)
class Reason:
    """A feature that counted: `effect` is "against" or "for" approval; `kind` says which text it has, if not its name
    alone.
    """

    feature: Feature
    effect: str
    kind: str

    @property
    def code(self) -> str:
        """The feature's code, with a mark of its own where it is the absence that counted."""
        return code_feature(self.feature.name, self.feature.reason) + (".MISSING" if self.kind == "missing" else "")

    def text(self, language: str) -> str:
        """Return the reason in words."""
        return (
            _TEXTS[language].get(self.kind, "{}").format(name_feature(self.feature.name, self.feature.reason, language))
        )

    def to_dict(self, write: Callable[[Callable[[str], str]], Any]) -> dict[str, Any]:
        """Return the document of this reason; `write` chooses the language of its text."""
        return {"code": self.code, "feature": self.feature.name, "effect": self.effect, "text": write(self.text)}


def principal_reasons(
    features: Sequence[Feature], X: np.ndarray, explanation: Explanation, background: np.ndarray, approved: bool
) -> list[Reason]:
    """Return up to four reasons, the weightiest first: for an approval what spoke for it, else what counted against.

    features: the F scored ones.   X: (1, F).   background: (B, F), what X was compared with.
    Ties are broken by the order of the contract. What adds less than a fiftieth of the weightiest is left out. Empty
    only where nothing counted on that side.
    Raises ArithmeticError where the explanation is not finite.
    """
    if not np.all(np.isfinite(explanation.values)):
        raise ArithmeticError("the explanation is not finite")
    effect, sign = ("for", 1) if approved else ("against", -1)
    weights = sign * explanation.values
    least = max(NOTHING, LEAST_SHARE * float(weights.max()))
    weighty = [column for column, weight in enumerate(weights) if weight > least]
    weighty.sort(key=lambda column: (-round(float(weights[column]), _DIGITS), column))
    return [
        Reason(features[column], effect, _kind(features[column], effect, X[0, column], background[:, column]))
        for column in weighty[:MOST_REASONS]
    ]


def _kind(feature: Feature, effect: str, value: float, others: np.ndarray) -> str:
    """Return what can be said of a value beyond its feature's name. "Too low" takes a feature that may only speak for
    approval as it rises, more than two values, and somebody approved who has more; of a protected one it is not said.
    """
    if np.isnan(value):
        return "missing"
    if effect == "for":
        return "for"
    has_two_values = feature.type == "integer" and feature.max - feature.min == 1
    if feature.direction == 0 or has_two_values or feature.protected:
        return "plain"
    if feature.direction > 0:
        return "low" if np.any(others > value) else "plain"
    return "high" if np.any(others < value) else "plain"
