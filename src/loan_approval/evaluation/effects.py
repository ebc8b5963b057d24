"""How the served file's probability moves with one feature, or with two, everything else as it is in real rows.

Sources: Friedman, "Greedy function approximation", 2001 (partial dependence); Goldstein et al., "Peeking inside the
black box", 2015 (individual conditional expectation, ICE); Friedman and Popescu, "Predictive learning via rule
ensembles", 2008 (the H statistic of an interaction).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serve.contract.feature import Feature
from serve.model.scorer import Scorer

ROWS = 200  # that a curve averages over
POINTS = 25  # of a number's range
GRID = 9  # points of each of two features


@dataclass(frozen=True)
class Effect:
    """values: (v,) of the feature, codes for a category.   curves: (rows, v) probabilities, one curve a row."""

    feature: Feature
    values: np.ndarray
    curves: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Return the (v,) partial dependence."""
        return self.curves.mean(axis=0)

    @property
    def reach(self) -> float:
        """Return the difference between the highest and the lowest point of the mean curve."""
        return float(np.ptp(self.mean))


@dataclass(frozen=True)
class Interaction:
    """values: of the two features.   mean: (v, w) partial dependence.   strength: the H statistic, 0 to 1."""

    features: tuple[Feature, Feature]
    values: tuple[np.ndarray, np.ndarray]
    mean: np.ndarray
    strength: float


def choose_rows(X: np.ndarray, seed: int, most: int = ROWS) -> np.ndarray:
    """Return at most so many of (n, F) rows, chosen by the seed."""
    chosen = np.random.default_rng(seed).permutation(len(X))[:most]
    return X[np.sort(chosen)]


def measure_effects(scorer: Scorer, X: np.ndarray) -> list[Effect]:
    """Return the effect of each scored feature on the probability of (n, F) rows, the furthest reaching first."""
    effects = []
    for column, feature in enumerate(scorer.contract.scored):
        values = _values(feature, X[:, column], POINTS)
        effects.append(Effect(feature, values, _score(scorer, X, [column], values[:, None])))
    return sorted(effects, key=lambda effect: -effect.reach)


def measure_interaction(scorer: Scorer, X: np.ndarray, features: Sequence[Feature]) -> Interaction:
    """Return how two scored features move the probability of (n, F) rows together.

    The H statistic is the share of the joint curve's variance that the sum of the two single curves leaves: 0 where
    the two add up, 1 where neither has an effect of its own.
    """
    columns = [scorer.contract.scored.index(feature) for feature in features]
    first, second = (_values(f, X[:, column], GRID) for f, column in zip(features, columns, strict=True))
    pairs = np.array([(a, b) for a in first for b in second])
    mean = _score(scorer, X, columns, pairs).mean(axis=0).reshape(len(first), len(second))
    joint = mean - mean.mean()
    left = joint - joint.mean(axis=1, keepdims=True) - joint.mean(axis=0, keepdims=True)
    strength = np.sqrt(np.sum(left**2) / np.sum(joint**2)) if joint.any() else 0.0
    return Interaction((features[0], features[1]), (first, second), mean, float(strength))


def _values(feature: Feature, column: np.ndarray, points: int) -> np.ndarray:
    """Return a category's codes, or points over a number's values between its 1st and 99th hundredth."""
    if feature.is_category:
        return np.arange(len(feature.values), dtype=float)
    known = column[~np.isnan(column)]
    if not len(known):
        return np.array([feature.min, feature.max], dtype=float)
    values = np.linspace(*np.quantile(known, [0.01, 0.99]), points)
    return np.unique(np.round(values) if feature.is_whole else values)


def _score(scorer: Scorer, X: np.ndarray, columns: Sequence[int], values: np.ndarray) -> np.ndarray:
    """Return (n, v) probabilities of (n, F) rows with each of (v, k) values in their k columns."""
    curves = np.empty((len(X), len(values)))
    for at, value in enumerate(values):
        changed = X.copy()
        changed[:, columns] = value
        curves[:, at] = scorer.score(changed)
    return curves
