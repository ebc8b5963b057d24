"""Why a decision: the Shapley values of one application's features, from the model file alone."""

import hashlib
from dataclasses import dataclass
from math import factorial

import numpy as np

from serve.scorer import Scorer

MOST_EXACT = 10  # features; beyond, 2^F coalitions are too many for one answer
PAIRS = 64  # of permutations, each with its reverse
CLIP = 1e-6  # probabilities are held this far from 0 and 1: log-odds stay finite


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to the log-odds of approval.

    base: mean log-odds over the background rows.   values: (F,); base + sum(values) is the application's log-odds.
    error: 0.0 where the values are exact; else the largest standard error of one, from the permutations.
    """

    base: float
    values: np.ndarray
    error: float


class Explainer:
    """Explains with one model file against its background rows."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        features = scorer.background.shape[1]
        if features <= MOST_EXACT:
            self._masks = _coalitions(features)
            self._weights = _shapley_weights(self._masks)

    def explain(self, X: np.ndarray) -> Explanation:
        """Return the reasons for one (1, F) float64 row as `Contract.encode` gives it."""
        return self._exact(X) if X.shape[1] <= MOST_EXACT else self._sampled(X)

    def _exact(self, X: np.ndarray) -> Explanation:
        v = self._mean_log_odds(X, self._masks)
        return Explanation(float(v[0]), self._weights @ v, 0.0)

    def _sampled(self, X: np.ndarray) -> Explanation:
        seed = hashlib.sha256(bytes.fromhex(self._scorer.sha256) + X.tobytes()).digest()
        rng, features = np.random.default_rng(int.from_bytes(seed, "big")), X.shape[1]
        steps = np.arange(features + 1)[:, None]
        values = np.empty((PAIRS, features))
        for pair in range(PAIRS):
            position = rng.permutation(features)
            masks = np.concatenate([position < steps, features - 1 - position < steps])
            v = self._mean_log_odds(X, masks).reshape(2, features + 1)
            gains = np.diff(v, axis=1)
            values[pair] = (gains[0, position] + gains[1, features - 1 - position]) / 2
        base = float(v[0, 0])
        error = float(np.max(values.std(axis=0, ddof=1)) / np.sqrt(PAIRS))
        return Explanation(base, values.mean(axis=0), error)

    def _mean_log_odds(self, X: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return (m,) mean log-odds: features in a mask come from X, the others from each background row."""
        background = self._scorer.background
        rows = np.where(masks[:, None, :], X, background).reshape(-1, X.shape[1])
        p = np.clip(self._scorer.score(rows), CLIP, 1 - CLIP)
        return np.log(p / (1 - p)).reshape(len(masks), len(background)).mean(axis=1)


def _coalitions(features: int) -> np.ndarray:
    """Return (2^F, F) bool: every set of features, the empty one first."""
    return (np.arange(2**features)[:, None] >> np.arange(features) & 1).astype(bool)


def _shapley_weights(masks: np.ndarray) -> np.ndarray:
    """Return (F, 2^F): what each coalition's worth counts for in each feature's value."""
    n, size = masks.shape[1], masks.sum(axis=1)
    with_it = np.array([factorial(max(s - 1, 0)) * factorial(n - s) / factorial(n) for s in size])
    without = np.array([factorial(s) * factorial(max(n - s - 1, 0)) / factorial(n) for s in size])
    return np.where(masks, with_it[:, None], -without[:, None]).T
