"""How often a model file states age as a reason against an applicant."""

from dataclasses import dataclass

import numpy as np

from serve.model.reasons import principal_reasons
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer

EXPLAINED = 150  # applicants, those with the lowest scores


@dataclass(frozen=True)
class AgeReasons:
    """Of how many explained applicants age is a principal reason against them."""

    explained: int
    named: int


def count_age_reasons(scorer: Scorer, base: np.ndarray, column: int, ages: np.ndarray) -> AgeReasons:
    """Explain the lowest-scoring of (n, F) rows as declines, each with one of (v,) ages in the column of age."""
    if not (len(ages) and len(base)):
        return AgeReasons(0, 0)
    rows, explainer, features = base.copy(), Explainer(scorer), scorer.contract.scored
    rows[:, column] = ages[np.linspace(0, len(ages) - 1, len(rows)).astype(int)]
    lowest = rows[np.argsort(scorer.score(rows), kind="stable")[:EXPLAINED]]
    named = 0
    for row in lowest[:, None]:
        reasons = principal_reasons(features, row, explainer.explain(row), explainer.middles, approved=False)
        named += any(reason.feature is features[column] for reason in reasons)
    return AgeReasons(len(lowest), named)
