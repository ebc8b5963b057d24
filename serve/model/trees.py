"""The quick way to score many rows that differ in few features, for a model file of small boosted trees.

Each feature of a row adds a part to the number of the row's cell in each tree, so that the cells of any coalition of
features are a sum. The scores are those of the file to the last bit: onnxruntime computes what is before and after the
trees, and a file is read only if its scores of many rows are the same both ways.
"""

from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from serve.contract.feature import Feature
from serve.model.onnx_file import cut_before, read_nodes, with_output
from serve.model.scorer import OUTPUTS, Scorer, open_session
from serve.model.tree_tables import OTHER_MODEL, OtherModelError, TreeTables

COMPARED = 1024  # rows that are scored both ways
Part = tuple[np.ndarray, np.ndarray]  # of a feature: (k,) edges between its segments, (k + 2, T) what each adds


class Trees:
    """The T trees of a file. A feature's values fall into segments; within one, no value changes a score."""

    def __init__(self, tables: TreeTables, parts: list[Part], finish: Callable[[np.ndarray], np.ndarray]) -> None:
        """finish: computes the graph's output from that of the trees."""
        self._tables, self._finish = tables, finish
        self.edges, self.parts = zip(*parts, strict=True)
        self._edge_lists = [edges.tolist() for edges in self.edges]

    def segments(self, column: int, values: np.ndarray) -> np.ndarray:
        """Return (n,) numbers of the segments of a feature's values; the last one is of NaN, missing."""
        edges = self.edges[column]
        return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))

    def split(self, X: np.ndarray) -> np.ndarray:
        """Return (F, T): what each value of a (1, F) row adds to the number of the row's cell in each tree."""
        each = zip(X[0].tolist(), self._edge_lists, self.parts, strict=True)  # quicker than numpy for one row
        return np.array([parts[bisect_right(edges, x) if x == x else -1] for x, edges, parts in each])

    def score(self, cells: np.ndarray) -> np.ndarray:
        """Return (n,) probabilities of approval for (n, T) cells, each the sum of a row's parts."""
        return self._finish(self._tables.score(cells))[:, 1].astype(np.float64)


def read_trees(scorer: Scorer) -> Trees | None:
    """Return the trees of a model file, or None if it has others than small boosted ones."""
    try:
        return _read_trees(scorer) if scorer.small_file else None
    except Exception:  # noqa: BLE001 (whatever is unusual about a graph, onnxruntime scores it)
        return None


def _read_trees(scorer: Scorer) -> Trees:
    nodes = read_nodes(scorer.small_file)
    at = [number for number, node in enumerate(nodes) if node.operator.startswith("TreeEnsemble")]
    if len(at) != 1:
        raise OtherModelError(OTHER_MODEL)
    node = nodes[at[0]]
    (seen,), (_, output) = node.inputs, node.outputs
    head = open_session(with_output(scorer.small_file, seen))
    tail = None if output == OUTPUTS[0] else open_session(cut_before(scorer.small_file, at[0] + 1, output))

    def finish(both: np.ndarray) -> np.ndarray:
        return both if tail is None else tail.run(OUTPUTS, {output: both})[0]

    tables = TreeTables(node)
    values, parts = _find_parts(scorer.contract.scored, lambda X: head.run([seen], {"X": X})[0], tables)
    trees = Trees(tables, parts, finish)
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.choice(each, COMPARED) for each in values])
    cells = sum(trees.parts[column][trees.segments(column, values)] for column, values in enumerate(X.T))
    if not np.array_equal(trees.score(cells), scorer.score(X)):
        raise OtherModelError(OTHER_MODEL)
    return trees


def _find_parts(
    features: tuple[Feature, ...], head: Callable[[np.ndarray], np.ndarray], tables: TreeTables
) -> tuple[list[np.ndarray], list[Part]]:
    """Return for each feature the values at the ends of its segments, and its part.

    A part is what moving this feature alone away from the contract's example changes; the first one's has the cells of
    the example too.
    """
    example = np.array([[feature.encode(feature.example) for feature in features]])
    base = tables.passed(head(example))
    all_values, parts = [], []
    for column, feature in enumerate(features):
        if feature.is_category:
            first = last = np.arange(len(feature.values), dtype=np.float64)
        else:
            before, after = _find_edges(feature, column, example, head, tables)
            first, last = np.append(feature.min, after), np.append(before, feature.max)
        Z = head(_move(example, column, np.append(first, np.nan if feature.missing else first[0])))
        if np.isnan(Z).any():  # the trees see that a value is missing
            raise OtherModelError(OTHER_MODEL)
        change = tables.passed(Z).astype(tables.strides.dtype) - base
        parts.append((first[1:], change @ tables.strides + (0 if column else tables.starts + base @ tables.strides)))
        all_values.append(np.unique([*first, *last, *([np.nan] * feature.missing)]))
    return all_values, parts


def _find_edges(
    feature: Feature, column: int, example: np.ndarray, head: Callable[[np.ndarray], np.ndarray], tables: TreeTables
) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbouring float64 before and after each place where a value of a number comes to pass a cut."""
    low, high = (np.full(len(tables.cut_values), end, dtype=np.float64) for end in (feature.min, feature.max))
    every = np.arange(len(low))

    def passes(values: np.ndarray) -> np.ndarray:
        return tables.passed(head(_move(example, column, values)))[np.arange(len(values)), every]

    at_low = passes(low)
    every = np.flatnonzero(at_low != passes(high))
    at_low, low, high = at_low[every], low[every], high[every]
    while len(every):
        middle = low + (high - low) / 2
        if np.all((middle == low) | (middle == high)):
            break
        as_low = passes(middle) == at_low
        low, high = np.where(as_low, middle, low), np.where(as_low, high, middle)
    return np.unique(low), np.unique(high)


def _move(row: np.ndarray, column: int, values: np.ndarray) -> np.ndarray:
    """Return the (1, F) row with each of (n,) values in a column."""
    rows = np.repeat(row, len(values), axis=0)
    rows[:, column] = values
    return rows
