"""Whether the reasons a model file gives add up: what each feature adds, against what the file answers."""

from typing import Any

import numpy as np

from serve.explain import CLIP, MOST_EXACT, Explainer
from serve.scorer import Scorer

ROWS = 200


def check_reasons(scorer: Scorer, X: np.ndarray) -> dict[str, Any]:
    """Return, as a JSON document, how the file's reasons for some of (n, F) rows hold.

    largest_gap: between log-odds and base plus values, 0 but for rounding.   error: largest standard error of a value,
    0 where values are exact.
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
    }
