"""Proves that the model file decides as the fitted pipeline does, through the server's own scorer.

The rows: the data, draws over the contract's ranges, the ranges' ends, and values at and beside each tree threshold.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from loan_approval.errors import ExportError
from loan_approval.evaluation.thresholds import review_bands
from loan_approval.training.export import bounds, draw_from_range
from loan_approval.training.fit import score
from loan_approval.validation.tree_splits import find_split_values, tree_thresholds
from serve.contract.contract import Contract
from serve.model.scorer import TOLERANCE, Scorer

RANGE_ROWS = 20_000
THRESHOLD_ROWS = 60_000
RECORDS = 300  # rows that also go through a record, as over HTTP


@dataclass(frozen=True)
class ParityReport:
    """Rows judged; decisions or bands that differ; rows within 1e-6 of a bound, where they may differ; largest |dp|."""

    rows: int
    differing: int
    near: int
    largest: float


def prove_parity(data: bytes, pipeline: Pipeline, X: np.ndarray, seed: int = 0) -> ParityReport:
    """Compare a model file with the pipeline it came from on (n, F) data rows and on hard rows made from them."""
    scorer = Scorer(data)
    contract = scorer.contract
    rng = np.random.default_rng(seed)
    hard = [range_rows(contract, RANGE_ROWS, rng), edge_rows(contract, X)]
    rows = np.concatenate([X, *hard, threshold_rows(data, pipeline, contract, X, rng)])
    expected, scores = score(pipeline, rows), scorer.score(rows)
    near = _near(expected, scorer.threshold)
    near_a_bound = near | _near(expected, *scorer.review_band)
    bands, expected_bands = (review_bands(p, *scorer.review_band) for p in (scores, expected))
    differs = (scorer.decide(scores) != scorer.decide(expected)) & ~near | (bands != expected_bands) & ~near_a_bound
    differing = int(np.sum(differs)) + _differing_records(scorer, rows[~near], scores[~near], rng)
    return ParityReport(len(rows), differing, int(np.sum(near_a_bound)), float(np.max(np.abs(scores - expected))))


def check_parity(report: ParityReport) -> None:
    """Raise ExportError when any decision differs: such a file is not registered."""
    if report.differing:
        found = f"{report.differing} of {report.rows:,} decisions"
        raise ExportError(f"{found} differ from the fitted pipeline's: {report}")


def range_rows(contract: Contract, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows, F) rows drawn over the contract's ranges."""
    return np.column_stack([draw_from_range(feature, rows, rng) for feature in contract.scored])


def edge_rows(contract: Contract, X: np.ndarray, base_rows: int = 50) -> np.ndarray:
    """Return data rows with one feature at a time at its least, its greatest, and missing where allowed."""
    base = X[:: max(1, len(X) // base_rows)][:base_rows]
    variants = []
    for column, feature in enumerate(contract.scored):
        for number in (*bounds(feature), *([np.nan] if feature.missing else [])):
            changed = base.copy()
            changed[:, column] = number
            variants.append(changed)
    return np.concatenate(variants)


def threshold_rows(
    data: bytes, pipeline: Pipeline, contract: Contract, X: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return data rows with one number set to a tree's split values and one step beyond them; none without trees.

    Integers go to the whole numbers either side.
    """
    numbers = np.array([i for i, feature in enumerate(contract.scored) if not feature.is_category], dtype=int)
    cuts = [(position, cut) for position, cut in tree_thresholds(data) if position < len(numbers)]
    if not cuts:
        return np.empty((0, X.shape[1]))
    positions, thresholds = map(np.array, zip(*cuts, strict=True))
    columns, low, high = find_split_values(pipeline[:-1].transform, contract, numbers[positions], positions, thresholds)
    whole = np.array([contract.scored[column].is_whole for column in columns])
    low, high = np.where(whole, np.floor(low), low), np.where(whole, np.ceil(high), high)
    below = np.where(whole, low - 1, np.nextafter(low, -np.inf))
    above = np.where(whole, high + 1, np.nextafter(high, np.inf))
    columns, values = np.tile(columns, 4), np.concatenate([low, high, below, above])
    inside = [contract.scored[c].min <= v <= contract.scored[c].max for c, v in zip(columns, values, strict=True)]
    columns, values = columns[inside], values[inside]
    chosen = rng.permutation(len(columns))[:THRESHOLD_ROWS]
    rows = X[rng.integers(0, len(X), len(chosen))]
    rows[np.arange(len(chosen)), columns[chosen]] = values[chosen]
    return rows


def _near(p: np.ndarray, *bounds: float) -> np.ndarray:
    return np.any([np.abs(p - bound) <= TOLERANCE for bound in bounds], axis=0)


def _differing_records(scorer: Scorer, rows: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> int:
    chosen = rng.permutation(len(rows))[:RECORDS]
    codes = scorer.decide(p[chosen])
    features = scorer.contract.scored
    records = [{f.name: f.decode(number) for f, number in zip(features, rows[i], strict=True)} for i in chosen]
    return int(sum(scorer.answer(record).code != code for record, code in zip(records, codes, strict=True)))
