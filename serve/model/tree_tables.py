"""The trees of an ONNX node as tables, and their sums as onnxruntime computes them.

A tree's table has an axis for each column that it splits, and a cell for each range of values between its thresholds.
"""

from collections.abc import Mapping

import numpy as np

from serve.model.onnx_file import Node

MOST_CELLS = 2**20  # of all trees: 4 MiB
MOST_STRIDES = 2**22  # one for each split and tree, as many as the parts of all segments: 16 MiB at most
OTHER_MODEL = "the file has other trees than small boosted ones"


class OtherModelError(Exception):
    """A graph of another kind than is read here; its scores are left to onnxruntime."""


class TreeTables:
    """The tables of the T trees of a node, which classifies in two and whose leaves have one weight each.

    cut_columns, cut_values: the C distinct splits of all trees; a column's value passes a cut if it is greater.
    starts: (T,), the number of each tree's first cell.   strides: (C, T), what passing a cut adds to the number of a
    row's cell in a tree. Both are of the smallest type that holds the number of any cell.
    """

    def __init__(self, node: Node) -> None:
        """Read a node. Raises OtherModelError for one that is not of this kind."""
        trees = _read_trees(node)
        axes, tables = zip(*map(_make_table, trees.values()), strict=True)
        self._weights = np.concatenate([table.ravel() for table in tables])
        if self._weights.size > MOST_CELLS:
            raise OtherModelError(OTHER_MODEL)
        cuts = sorted({(column, cut) for each in axes for column, cuts in each.items() for cut in cuts})
        self.cut_columns = np.array([column for column, _ in cuts])
        self.cut_values = np.array([cut for _, cut in cuts], dtype=np.float32)
        kind = np.int16 if self._weights.size <= np.iinfo(np.int16).max else np.int32
        self.starts = np.cumsum([0, *(table.size for table in tables[:-1])], dtype=kind)
        if len(cuts) * len(tables) > MOST_STRIDES:
            raise OtherModelError(OTHER_MODEL)
        self.strides = np.zeros((len(cuts), len(tables)), dtype=kind)
        place = {cut: number for number, cut in enumerate(cuts)}
        for number, each in enumerate(axes):
            stride = tables[number].size
            for column, values in each.items():
                stride //= len(values) + 1
                self.strides[[place[column, value] for value in values], number] = stride
        self._base = np.float32(sum(node.attributes.get("base_values", [])))
        self._is_logistic = node.attributes["post_transform"] == b"LOGISTIC"

    def passed(self, Z: np.ndarray) -> np.ndarray:
        """Return (n, C) whether each of (n, columns) float32 rows passes each cut."""
        return Z[:, self.cut_columns] > self.cut_values

    def score(self, cells: np.ndarray) -> np.ndarray:
        """Return the (n, 2) float32 output of the node for (n, T) cells."""
        weights = self._weights.take(cells.T.astype(np.intp, order="C"), mode="clip")
        # Along the first axis numpy adds one tree after the other, as onnxruntime does.
        sums = np.add.reduce(weights, axis=0) + self._base
        if not self._is_logistic:
            return np.stack([-sums, sums], axis=1)
        # Of complex numbers numpy takes expf of the C library, as onnxruntime does; of float32 it takes its own.
        larger = 1 / (1 + np.exp(-np.abs(sums).astype(np.complex64)).real)
        pair = np.stack([1 - larger, larger], axis=1)
        return np.where((sums < 0)[:, None], pair[:, ::-1], pair)


def _read_trees(node: Node) -> dict[int, dict[int, tuple]]:
    """Return the nodes of each tree by their number: column, cut and the branches up to it and beyond; of a leaf the
    column is -1, and the weight stands for the cut.
    """
    has = node.attributes
    weights = np.array(has["class_weights"], dtype=np.float32)
    if (
        node.operator != "TreeEnsembleClassifier"
        or has["post_transform"] not in (b"NONE", b"LOGISTIC")
        or not set(has["nodes_modes"]) <= {b"BRANCH_LEQ", b"BRANCH_LT", b"LEAF"}
        or len(has["classlabels_int64s"]) != 2
        or len(set(has["class_ids"])) != 1
        or weights.min() >= 0  # onnxruntime takes sums of such weights for probabilities
    ):
        raise OtherModelError(OTHER_MODEL)
    cuts = np.array(has["nodes_values"], dtype=np.float32)
    strict = np.array([mode == b"BRANCH_LT" for mode in has["nodes_modes"]])
    # For a float32, x < cut holds exactly when x <= the number before the cut.
    cuts = np.where(strict, np.nextafter(cuts, -np.inf, dtype=np.float32), cuts)
    leaves = dict(zip(zip(has["class_treeids"], has["class_nodeids"], strict=True), weights.tolist(), strict=True))
    numbers, modes = zip(has["nodes_treeids"], has["nodes_nodeids"], strict=True), has["nodes_modes"]
    branches = has["nodes_truenodeids"], has["nodes_falsenodeids"]
    trees: dict[int, dict[int, tuple]] = {}
    for at, mode, *split in zip(numbers, modes, has["nodes_featureids"], cuts.tolist(), *branches, strict=True):
        trees.setdefault(at[0], {})[at[1]] = (-1, leaves[at], 0, 0) if mode == b"LEAF" else tuple(split)
    return trees


def _make_table(nodes: Mapping[int, tuple]) -> tuple[dict[int, list[float]], np.ndarray]:
    """Return the axes of a tree's table, its cuts by column, and the weight in each cell. Raises OtherModelError."""
    inner = [node for node in nodes.values() if node[0] >= 0]
    axes = {column: sorted({cut for each, cut, *_ in inner if each == column}) for column, *_ in inner}
    shape = [len(cuts) + 1 for cuts in axes.values()]
    if np.prod(shape, dtype=float) > MOST_CELLS:
        raise OtherModelError(OTHER_MODEL)
    place, table = {column: axis for axis, column in enumerate(axes)}, np.empty(shape, dtype=np.float32)
    (root,) = nodes.keys() - {child for *_, yes, no in inner for child in (yes, no)}
    waiting: list[tuple[int, tuple[slice, ...]]] = [(root, tuple(map(slice, [0] * len(shape), shape)))]
    for _ in nodes:  # each stands once in a tree
        number, box = waiting.pop()
        column, cut, yes, no = nodes[number]
        if column < 0:
            table[box] = cut
            continue
        axis = place[column]
        low, middle, high = box[axis].start, axes[column].index(cut) + 1, box[axis].stop
        for child, part in ((yes, slice(low, min(middle, high))), (no, slice(max(low, middle), high))):
            waiting.append((child, (*box[:axis], part, *box[axis + 1 :])))
    return axes, table
