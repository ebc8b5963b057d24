"""The split values of the trees in a model file: a feature's values just below and just above each threshold."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from serve.contract.contract import Contract
from serve.model.scorer import open_session

STEPS = 64  # of a bisection: float64 has 53 bits
LARGEST_SEARCH = 1_000_000  # cells of the rows that are searched at once, which bounds the memory

Transform = Callable[[np.ndarray], np.ndarray]


def tree_thresholds(data: bytes) -> list[tuple[int, float]]:
    """Return the distinct (preprocessed column, threshold) of every tree in the graph."""
    return sorted(set().union(*map(_thresholds, _tree_nodes(onnx.load_from_string(data)))))


def tree_split_values(data: bytes, contract: Contract, columns: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the split values of every tree, ascending, by scored column, from the file alone.

    The graph is evaluated up to its trees, with the contract's example in the other columns. That suffices where no
    column's preprocessing depends on another's, as here. Only thresholds of what a column's value moves are searched.
    """
    graph = onnx.load_from_string(data)
    split_values: dict[int, list[np.ndarray]] = {column: [] for column in columns}
    at_once = max(1, LARGEST_SEARCH // len(contract.scored))
    for node in _tree_nodes(graph):
        transform = _up_to(graph, node.input[0])
        positions, values = map(np.array, zip(*sorted(_thresholds(node)), strict=True))
        for column in columns:
            moved = np.flatnonzero(np.isin(positions, _moved_by(transform, contract, column)))
            for part in np.split(moved, range(at_once, len(moved), at_once)):
                searched = np.full(len(part), column), positions[part], values[part]
                _, low, high = find_split_values(transform, contract, *searched)
                split_values[column] += [low, high]
    return {column: np.unique(np.concatenate([[], *values])) for column, values in split_values.items()}


def _moved_by(transform: Transform, contract: Contract, column: int) -> np.ndarray:
    """Return the preprocessed columns that differ between the ends of a number's range."""
    rows = np.tile([feature.encode(feature.example) for feature in contract.scored], (2, 1))
    rows[:, column] = contract.scored[column].min, contract.scored[column].max
    low, high = transform(rows)
    return np.flatnonzero(low != high)


def find_split_values(
    transform: Transform, contract: Contract, columns: np.ndarray, positions: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns and neighbouring float64 `low` and `high` between which a preprocessed number passes a threshold.

    transform: from (k, F) rows to the preprocessed ones; any monotone one.   columns: (k,) the scored column that is
    moved.   positions, thresholds: (k,) the preprocessed column and its threshold.
    A tree may compare with <= or with <: both give split values. A threshold outside the contract's range has none.
    """
    strict = np.repeat([False, True], len(columns))
    columns, positions, thresholds = (np.tile(each, 2) for each in (columns, positions, thresholds))
    example = [feature.encode(feature.example) for feature in contract.scored]

    def is_below(values: np.ndarray) -> np.ndarray:
        each = np.arange(len(columns))
        rows = np.tile(example, (len(columns), 1))
        rows[each, columns] = values
        moved = transform(rows)[each, positions]
        return np.where(strict, moved < thresholds, moved <= thresholds)

    low = np.array([contract.scored[column].min for column in columns], dtype=float)
    high = np.array([contract.scored[column].max for column in columns], dtype=float)
    inside = is_below(low) != is_below(high)
    strict, columns, positions = strict[inside], columns[inside], positions[inside]
    thresholds, low, high = thresholds[inside], low[inside], high[inside]
    at_low = is_below(low)
    for _ in range(STEPS):
        middle = low + (high - low) / 2
        as_low = is_below(middle) == at_low
        low, high = np.where(as_low, middle, low), np.where(as_low, high, middle)
    return columns, low, high


def _tree_nodes(graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in graph.graph.node if node.op_type.startswith("TreeEnsemble")]


def _thresholds(node: onnx.NodeProto) -> set[tuple[int, float]]:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    parts = (attributes[part] for part in ("nodes_featureids", "nodes_values", "nodes_modes"))
    return {(column, float(value)) for column, value, mode in zip(*parts, strict=True) if mode != b"LEAF"}


def _up_to(graph: onnx.ModelProto, name: str) -> Transform:
    """Return the part of the graph that makes the tensor `name` from `X`."""
    if name == graph.graph.input[0].name:
        return lambda rows: rows
    part = onnx.ModelProto()
    part.CopyFrom(graph)
    del part.graph.output[:]
    part.graph.output.append(onnx.ValueInfoProto(name=name))  # its type follows from the graph
    session = open_session(part.SerializeToString())
    return lambda rows: session.run([name], {"X": rows})[0]
