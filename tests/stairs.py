"""Model files written by hand: one tree whose scores rise and fall with one feature as asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.model_files import make_documents, to_bytes


def make_stairs(
    contract: Mapping[str, Any], column: int, cuts: Sequence[float], heights: Sequence[float], scale: float = 1.0
) -> bytes:
    """Return a model file whose probability of approval is heights[i] between cuts[i - 1] and cuts[i] of one column.

    Missing values become 0; every column is divided by `scale`, and the cuts are compared with the result in float32.
    """
    width = sum(feature.get("use", "score") == "score" for feature in contract["feature"])
    nodes = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "X"], ["filled"]),
        helper.make_node("Div", ["filled", "scale"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node(
            "TreeEnsembleRegressor", ["seen"], ["approval"], domain="ai.onnx.ml", **_chain(column, cuts, heights, scale)
        ),
        helper.make_node("Sub", ["one", "approval"], ["denial"]),
        helper.make_node("Concat", ["denial", "approval"], ["probabilities"], axis=1),
    ]
    constants = {"zero": np.zeros(1), "scale": np.array([scale]), "one": np.ones(1, np.float32)}
    graph = helper.make_graph(
        nodes,
        "stairs",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    operator_sets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=operator_sets, ir_version=10)
    return to_bytes(model, make_documents(model, contract, 0.0))


def _chain(column: int, cuts: Sequence[float], heights: Sequence[float], scale: float) -> dict[str, Any]:
    """Return a tree as a chain: each node has one cut, its true branch is a leaf, its false branch the next node."""
    k = len(cuts)
    leaves = range(k, 2 * k + 1)
    return {
        "n_targets": 1,
        "nodes_treeids": [0] * (2 * k + 1),
        "nodes_nodeids": list(range(2 * k + 1)),
        "nodes_featureids": [column] * k + [0] * (k + 1),
        "nodes_modes": ["BRANCH_LEQ"] * k + ["LEAF"] * (k + 1),
        "nodes_values": [cut / scale for cut in cuts] + [0.0] * (k + 1),
        "nodes_truenodeids": [*leaves[:k], *([0] * (k + 1))],
        "nodes_falsenodeids": [*range(1, k), 2 * k, *([0] * (k + 1))],
        "target_ids": [0] * (k + 1),
        "target_treeids": [0] * (k + 1),
        "target_nodeids": list(leaves),
        "target_weights": list(heights),
    }
