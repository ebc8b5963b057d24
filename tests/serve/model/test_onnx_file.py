import numpy as np

from serve.model.onnx_file import cut_before, read_nodes, with_output
from serve.model.scorer import Scorer, open_session
from tests.encoded_rows import draw_rows


def test_the_nodes_of_a_file_are_read_with_their_attributes(model_file):
    nodes = read_nodes(model_file("boosted_calibrated"))
    before, after = ["IsNaN", "Where", "Sub", "Div", "Cast"], ["Gather", "Mul", "Sigmoid", "Sub", "Concat"]
    assert [node.operator for node in nodes] == [*before, "TreeEnsembleClassifier", *after]
    trees = nodes[5]
    assert (trees.inputs, trees.outputs) == (["seen"], ["label", "sums"])
    assert trees.attributes["nodes_modes"][:4] == [b"BRANCH_LT"] * 3 + [b"LEAF"]
    assert trees.attributes["nodes_truenodeids"][:7] == [1, 3, 5, 0, 0, 0, 0]
    assert trees.attributes["base_values"] == [np.float32(0.1)]
    assert trees.attributes["post_transform"] == b"NONE"
    assert nodes[4].attributes == {"to": 1}
    assert max(trees.attributes["nodes_treeids"]) == 59


def test_a_file_cut_in_two_computes_what_the_whole_does(model_file):
    data = model_file("boosted_calibrated")
    scorer = Scorer(data)
    X = draw_rows(scorer.contract.scored, 50)
    (sums,) = open_session(with_output(data, "sums")).run(["sums"], {"X": X})
    (both,) = open_session(cut_before(data, 6, "sums")).run(["probabilities"], {"sums": sums})
    np.testing.assert_array_equal(both[:, 1], scorer.score(X))
