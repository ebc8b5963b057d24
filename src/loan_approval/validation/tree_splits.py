"""Where the trees of a model file turn: the values of a feature just before and just after a threshold."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from serve.contract.contract import Contract
from serve.model.scorer import open_session

STEPS = 64  # of a bisection: float64 has 53 bits
LARGEST_SEARCH = 50_000  # thresholds that are searched for at once: memory stays flat

Transform = Callable[[np.ndarray], np.ndarray]


def tree_thresholds(data: bytes) -> list[tuple[int, float]]:
    """Return the distinct (preprocessed column, threshold) of every tree in the graph."""
    found = set()
    for node in _tree_nodes(onnx.load_from_string(data)):
        found |= _thresholds(node)
    return sorted(found)


def tree_split_values(data: bytes, contract: Contract, columns: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the values either side of every turn of every tree, ascending, for each scored column asked for.

    Found from the file alone: the graph is evaluated up to where its trees begin, with the contract's example in the
    other columns. That is all there is to know when no column's preprocessing depends on another's, as here.
    """
    graph = onnx.load_from_string(data)
    found: dict[int, list[np.ndarray]] = {column: [] for column in columns}
    for node in _tree_nodes(graph):
        transform, thresholds = _up_to(graph, node.input[0]), sorted(_thresholds(node))
        for column in columns:
            for start in range(0, len(thresholds), LARGEST_SEARCH):
                positions, cuts = map(np.array, zip(*thresholds[start : start + LARGEST_SEARCH], strict=True))
                _, low, high = find_split_values(transform, contract, np.full(len(cuts), column), positions, cuts)
                found[column] += [low, high]
    return {column: np.unique(np.concatenate([[], *values])) for column, values in found.items()}


def find_split_values(
    transform: Transform, contract: Contract, columns: np.ndarray, positions: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns and neighbouring float64 `low` and `high` between which a preprocessed number passes a threshold.

    transform: from (k, F) rows to the preprocessed ones.   columns: (k,) the scored column that is moved.
    positions, thresholds: (k,) the preprocessed column that is watched, and its cut.
    Found by bisection through the preprocessing itself, so any monotone one will do. A tree may ask x <= cut or
    x < cut: both turns are found. Cuts outside the contract's range have none.
    """
    found = [_bisect(transform, contract, columns, positions, thresholds, ask) for ask in (np.less_equal, np.less)]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _bisect(
    transform: Transform,
    contract: Contract,
    columns: np.ndarray,
    positions: np.ndarray,
    thresholds: np.ndarray,
    ask: np.ufunc,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    example = [feature.encode(feature.example) for feature in contract.scored]

    def is_below(values: np.ndarray) -> np.ndarray:
        each = np.arange(len(columns))
        rows = np.tile(example, (len(columns), 1))
        rows[each, columns] = values
        return ask(transform(rows)[each, positions], thresholds)

    low = np.array([contract.scored[column].min for column in columns], dtype=float)
    high = np.array([contract.scored[column].max for column in columns], dtype=float)
    turns = is_below(low) != is_below(high)
    columns, positions, thresholds, low, high = (a[turns] for a in (columns, positions, thresholds, low, high))
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
