"""The proof that the model file decides as the fitted pipeline does, through the server's own scorer.

Judged are the data, rows over the whole range of the contract with missing values, the range edges, and rows at the
graph's tree thresholds and one step either side.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from sklearn.pipeline import Pipeline

from loan_approval.errors import ExportError
from loan_approval.export import draw_from_range
from loan_approval.training import score
from serve.contract import Contract
from serve.scorer import TOLERANCE, Scorer

RANGE_ROWS = 20_000
THRESHOLD_ROWS = 60_000
RECORDS = 300  # rows that also go through a record, as over HTTP


@dataclass(frozen=True)
class ParityReport:
    """rows judged; decisions that differ; rows within 1e-6 of the threshold, where they may; largest |dp|."""

    rows: int
    differing: int
    near: int
    largest: float


def prove_parity(data: bytes, pipeline: Pipeline, X: np.ndarray, seed: int = 0) -> ParityReport:
    """Compare a model file with the pipeline it came from on (n, F) data rows and on hard rows made from them."""
    scorer = Scorer(data)
    contract = scorer.contract
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            X,
            range_rows(contract, RANGE_ROWS, rng),
            edge_rows(contract, X),
            threshold_rows(data, pipeline, contract, X, rng),
        ]
    )
    expected, got = score(pipeline, rows), scorer.score(rows)
    near = np.abs(expected - scorer.threshold) <= TOLERANCE
    differs = (scorer.decide(got) != scorer.decide(expected)) & ~near
    return ParityReport(
        rows=len(rows),
        differing=int(np.sum(differs)) + _differing_records(scorer, rows[~near], got[~near], rng),
        near=int(np.sum(near)),
        largest=float(np.max(np.abs(got - expected))),
    )


def check_parity(report: ParityReport) -> None:
    """Raise ExportError when any decision differs: such a file is not registered."""
    if report.differing:
        raise ExportError(
            f"{report.differing} of {report.rows:,} decisions differ from the fitted pipeline's: {report}"
        )


def range_rows(contract: Contract, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows, F) rows drawn over the contract's ranges."""
    return np.column_stack([draw_from_range(feature, rows, rng) for feature in contract.scored])


def edge_rows(contract: Contract, X: np.ndarray, base_rows: int = 50) -> np.ndarray:
    """Return data rows with one feature at a time at its least, its greatest, and missing where allowed."""
    base = X[:: max(1, len(X) // base_rows)][:base_rows]
    variants = []
    for column, feature in enumerate(contract.scored):
        numbers = [0.0, len(feature.values) - 1.0] if feature.is_category else [feature.min, feature.max]
        for number in [*numbers, *([np.nan] if feature.missing else [])]:
            changed = base.copy()
            changed[:, column] = number
            variants.append(changed)
    return np.concatenate(variants)


def threshold_rows(
    data: bytes, pipeline: Pipeline, contract: Contract, X: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return data rows with one number set to a tree threshold of the graph, and one step either side of it.

    Integers go to the whole numbers either side. No rows for a graph without trees.
    """
    numbers = [column for column, feature in enumerate(contract.scored) if not feature.is_category]
    shift, spread = _scaling(pipeline, len(numbers))
    columns, values = [], []
    for position, threshold in tree_thresholds(data):
        if position >= len(numbers):
            continue  # a one-hot column
        feature = contract.scored[numbers[position]]
        raw = threshold * spread[position] + shift[position]
        # One step of float32 where the graph compares, in units of the raw value.
        step = abs(float(np.spacing(np.float32(threshold)))) * spread[position]
        around = _whole_neighbours(raw) if feature.type == "integer" else _neighbours(raw, step)
        inside = [value for value in around if feature.min <= value <= feature.max]
        columns += [numbers[position]] * len(inside)
        values += inside
    if not columns:
        return np.empty((0, X.shape[1]))
    chosen = (
        np.arange(len(columns)) if len(columns) <= THRESHOLD_ROWS else rng.permutation(len(columns))[:THRESHOLD_ROWS]
    )
    rows = X[rng.integers(0, len(X), len(chosen))]
    rows[np.arange(len(chosen)), np.array(columns)[chosen]] = np.array(values)[chosen]
    return rows


def tree_thresholds(data: bytes) -> list[tuple[int, float]]:
    """Return the distinct (preprocessed column, threshold) of every tree in the graph."""
    found = set()
    for node in onnx.load_from_string(data).graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            parts = ("nodes_featureids", "nodes_values", "nodes_modes")
            for column, value, mode in zip(*(attributes[part] for part in parts), strict=True):
                if mode != b"LEAF":
                    found.add((column, float(value)))
    return sorted(found)


def _scaling(pipeline: Pipeline, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    fitted = pipeline.named_steps["preprocess"].named_transformers_
    scaler = fitted["numbers"].named_steps.get("scale") if "numbers" in fitted else None
    return (scaler.mean_, scaler.scale_) if scaler is not None else (np.zeros(numbers), np.ones(numbers))


def _whole_neighbours(raw: float) -> list[float]:
    # A threshold that is whole itself has a whole number on it, and one either side.
    return sorted({float(np.ceil(raw)) - 1, float(np.floor(raw)), float(np.ceil(raw)), float(np.floor(raw)) + 1})


def _neighbours(raw: float, step: float) -> list[float]:
    return [raw, np.nextafter(raw, -np.inf), np.nextafter(raw, np.inf), raw - step, raw + step]


def _differing_records(scorer: Scorer, rows: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> int:
    chosen = rng.permutation(len(rows))[:RECORDS]
    codes = scorer.decide(p[chosen])
    features = scorer.contract.scored
    records = [{f.name: f.decode(number) for f, number in zip(features, rows[i], strict=True)} for i in chosen]
    return int(sum(scorer.answer(record).code != code for record, code in zip(records, codes, strict=True)))
