"""Encoded applications drawn from all that a contract allows, for an environment without the training side."""

import numpy as np

from serve.contract.feature import Feature


def draw_rows(features: tuple[Feature, ...], rows: int, seed: int = 4) -> np.ndarray:
    """Return (rows, F) float64."""
    rng = np.random.default_rng(seed)
    return np.column_stack([_draw(feature, rows, rng) for feature in features])


def _draw(feature: Feature, rows: int, rng: np.random.Generator) -> np.ndarray:
    """An eighth of the values are missing where they may be, an eighth are an end of the range."""
    low, high = (0, len(feature.values) - 1) if feature.is_category else (feature.min, feature.max)
    drawn = rng.uniform(low, high, rows)
    if feature.type != "number":
        drawn = np.rint(drawn)
    ends = rng.random(rows) < 1 / 8
    drawn[ends] = rng.choice([low, high], np.count_nonzero(ends))
    if feature.missing:
        drawn[rng.random(rows) < 1 / 8] = np.nan
    return drawn
