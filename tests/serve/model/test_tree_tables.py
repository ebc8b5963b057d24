import numpy as np
import pytest

from serve.model.onnx_file import Node
from serve.model.tree_tables import OtherModelError, TreeTables

# One tree: column 0 up to 0.5 is leaf 2; beyond it column 1 leads to leaf 3 or 4.
TREE = {
    "nodes_treeids": [0] * 5,
    "nodes_nodeids": [0, 1, 2, 3, 4],
    "nodes_featureids": [0, 1, 0, 0, 0],
    "nodes_values": [0.5, -1.0, 0.0, 0.0, 0.0],
    "nodes_modes": [b"BRANCH_LEQ", b"BRANCH_LEQ", b"LEAF", b"LEAF", b"LEAF"],
    "nodes_truenodeids": [2, 3, 0, 0, 0],
    "nodes_falsenodeids": [1, 4, 0, 0, 0],
    "class_treeids": [0, 0, 0],
    "class_nodeids": [2, 3, 4],
    "class_ids": [0, 0, 0],
    "class_weights": [-1.0, 0.25, 2.0],
    "classlabels_int64s": [0, 1],
    "post_transform": b"NONE",
}


def make(**changes):
    return TreeTables(Node("TreeEnsembleClassifier", ["seen"], ["label", "sums"], TREE | changes))


def sums(tables, *rows):
    passed = tables.passed(np.array(rows, dtype=np.float32)).astype(np.int16)
    return tables.score(tables.starts + passed @ tables.strides)[:, 1].tolist()


@pytest.mark.parametrize(("mode", "at_cut"), [(b"BRANCH_LEQ", [-1.0, 0.25]), (b"BRANCH_LT", [0.25, 2.0])])
def test_a_row_gets_the_weight_of_its_leaf(mode, at_cut):
    tables = make(nodes_modes=[mode, mode, b"LEAF", b"LEAF", b"LEAF"])
    assert sums(tables, (0.4, 9), (0.5, -2), (0.6, -2), (0.6, -1), (0.6, 0)) == [-1.0, at_cut[0], 0.25, at_cut[1], 2.0]


def test_trees_are_added_in_float32_in_the_order_of_the_file():
    weights = [1e8, -1e8, 0.7, 1e8, -1e8]
    leaves = {"nodes_featureids": [0] * 5, "nodes_values": [0.0] * 5, "nodes_modes": [b"LEAF"] * 5}
    trees = {"nodes_treeids": [0, 1, 2, 3, 4], "nodes_nodeids": [0] * 5, "class_treeids": [0, 1, 2, 3, 4]}
    tables = make(**leaves | trees, class_nodeids=[0] * 5, class_ids=[0] * 5, class_weights=weights)
    expected = np.float32(0)
    for weight in weights:
        expected += np.float32(weight)
    assert tables.score(tables.starts[None])[:, 1].tolist() == [expected]


def test_a_logistic_node_puts_out_two_probabilities():
    both = make(post_transform=b"LOGISTIC", base_values=[0.5]).score(np.array([[0], [3]]))
    expected = 1 / (1 + np.exp(-np.array([[0.5, -0.5], [-2.5, 2.5]])))
    np.testing.assert_allclose(both, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes_modes": [b"BRANCH_GT", b"BRANCH_LEQ", b"LEAF", b"LEAF", b"LEAF"]},
        {"post_transform": b"PROBIT"},
        {"class_ids": [0, 1, 0]},
        {"class_weights": [1.0, 0.25, 2.0]},
        {"classlabels_int64s": [0, 1, 2]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_node_of_another_kind_is_refused(changes):
    with pytest.raises(OtherModelError):
        make(**changes)


@pytest.mark.parametrize(("limit", "most"), [("MOST_CELLS", 3), ("MOST_STRIDES", 1)])
def test_trees_whose_tables_would_be_large_are_refused(monkeypatch, limit, most):
    monkeypatch.setattr(f"serve.model.tree_tables.{limit}", most)
    with pytest.raises(OtherModelError):
        make()
    monkeypatch.setattr(f"serve.model.tree_tables.{limit}", most + 1)
    make()
