"""The check that the reasons of a model file add up to its scores."""

from math import log
from typing import Any

import numpy as np

from loan_approval.validation.gates import Gate
from serve.model.reasons import NOTHING
from serve.model.scorer import Scorer
from serve.model.shapley import CLIP, MOST_EXACT, Explainer

ROWS = 200
LARGEST_GAP = 1e-6  # log-odds


def check_reasons(scorer: Scorer, X: np.ndarray) -> dict[str, Any]:
    """Return, as a JSON document, how well the reasons for some of (n, F) rows add up.

    largest_gap: between log-odds and base plus values, 0 but for rounding.   error: largest standard error of a value,
    0 where values are exact.   base: mean log-odds of the background.   threshold: the served one's log-odds.
    mean_contribution: each feature's mean absolute value, the largest first.
    """
    explainer = Explainer(scorer)
    rows = X[:: max(1, len(X) // ROWS)][:ROWS]
    p = np.clip(scorer.score(rows), CLIP, 1 - CLIP)
    explained = [explainer.explain(row[None]) for row in rows]
    sums = np.array([explanation.base + explanation.values.sum() for explanation in explained])
    sizes = np.mean([np.abs(explanation.values) for explanation in explained], axis=0)
    order = np.argsort(-sizes, kind="stable")
    return {
        "method": "exact" if rows.shape[1] <= MOST_EXACT else "sampled",
        "features": rows.shape[1],
        "background_rows": len(scorer.background),
        "rows": len(rows),
        "largest_gap": float(np.max(np.abs(np.log(p / (1 - p)) - sums))),
        "error": max(explanation.error for explanation in explained),
        "mean_contribution": {scorer.contract.scored[column].name: float(sizes[column]) for column in order},
        "base": explained[0].base,
        "threshold": log(scorer.threshold / (1 - scorer.threshold)),
    }


def reasons_gate(checked: dict[str, Any]) -> Gate:
    """Pass when reasons add up to the file's answer, and no application can be declined without one.

    checked: as `check_reasons` returns it. Values add up to an application's log-odds less the background's mean. Where
    that mean lies above the threshold, an application below the threshold has a negative sum, and so at least one
    negative value, which an adverse-action notice can state (12 CFR 1002.9(b)(2)).
    """
    least = checked["threshold"] + checked["features"] * NOTHING  # the server leaves out reasons up to NOTHING
    adds_up, always_one = checked["largest_gap"] <= LARGEST_GAP, checked["base"] > least
    words = (
        f"reasons miss the file's log-odds by at most {checked['largest_gap']:.1e} (at most {LARGEST_GAP:g} required); "
        f"the approved applicants they compare with have {checked['base']:.3f} on average, "
        f"{'above' if always_one else 'not above'} the threshold's {checked['threshold']:.3f}: "
        f"{'every decline has' if always_one else 'a decline may lack'} a reason"
    )
    numbers = {key: checked[key] for key in ("largest_gap", "base", "threshold")}
    return Gate("reasons", adds_up and always_one, words, numbers)
