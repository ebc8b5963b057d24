"""Whether the reasons a model file gives add up: what each feature adds, against what the file answers."""

from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np

from loan_approval.validation.gates import Gate
from serve.model.reasons import NOTHING
from serve.model.scorer import Scorer
from serve.model.shapley import CLIP, MOST_EXACT, Explainer, Explanation

ROWS = 200
LARGEST_GAP = 1e-6  # log-odds


def check_reasons(scorer: Scorer, X: np.ndarray) -> dict[str, Any]:
    """Return, as a JSON document, how the file's reasons for some of (n, F) rows hold.

    largest_gap: between log-odds and base plus values, 0 but for rounding.   error: largest standard error of a value,
    0 where values are exact.   base: mean log-odds of the background.   threshold: log-odds of the served one.
    mean_contribution: of each feature to these rows' log-odds, regardless of its sign.
    """
    explainer = Explainer(scorer)
    rows = X[:: max(1, len(X) // ROWS)][:ROWS]
    p = np.clip(scorer.score(rows), CLIP, 1 - CLIP)
    explained = [explainer.explain(row[None]) for row in rows]
    sums = np.array([explanation.base + explanation.values.sum() for explanation in explained])
    return {
        "method": "exact" if rows.shape[1] <= MOST_EXACT else "sampled",
        "features": rows.shape[1],
        "background_rows": len(scorer.background),
        "rows": len(rows),
        "largest_gap": float(np.max(np.abs(np.log(p / (1 - p)) - sums))),
        "error": max(explanation.error for explanation in explained),
        "mean_contribution": _mean_contributions(scorer, explained),
        "base": explained[0].base,
        "threshold": log(scorer.threshold / (1 - scorer.threshold)),
    }


def _mean_contributions(scorer: Scorer, explained: Sequence[Explanation]) -> dict[str, float]:
    """Return how much each feature moves the log-odds of these rows, on average and either way; the most first."""
    sizes = np.mean([np.abs(explanation.values) for explanation in explained], axis=0)
    order = np.argsort(-sizes, kind="stable")
    return {scorer.contract.scored[column].name: float(sizes[column]) for column in order}


def reasons_gate(found: dict[str, Any]) -> Gate:
    """Pass when reasons add up to the file's answer, and no application can be declined without one.

    found: as `check_reasons` returns it. Values add up to an application's log-odds less the background's mean. Where
    that mean lies above the threshold, whoever is below the threshold has a negative sum, and so at least one feature
    that counted against: an adverse-action notice has something to say (12 CFR 1002.9(b)(2)).
    """
    least = found["threshold"] + found["features"] * NOTHING  # reasons below that are not told
    adds_up, always_one = found["largest_gap"] <= LARGEST_GAP, found["base"] > least
    words = (
        f"reasons miss the file's log-odds by at most {found['largest_gap']:.1e} (at most {LARGEST_GAP:g} required); "
        f"the approved applicants they compare with have {found['base']:.3f} on average, "
        f"{'above' if always_one else 'not above'} the threshold's {found['threshold']:.3f}: "
        f"{'every decline has' if always_one else 'a decline may lack'} a reason"
    )
    numbers = {key: found[key] for key in ("largest_gap", "base", "threshold")}
    return Gate("reasons", adds_up and always_one, words, numbers)
