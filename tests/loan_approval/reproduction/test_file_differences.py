import json

import onnx
import pytest

from loan_approval.reproduction.file_differences import describe_differences
from tests.model_files import LOANS, LOANS_SCALING, MIXED, MIXED_SCALING, broken_files, make_file


@pytest.fixture
def data() -> bytes:
    return make_file(LOANS, LOANS_SCALING)


def changed(data: bytes, change) -> bytes:
    model = onnx.load_from_string(data)
    change(model)
    return model.SerializeToString(deterministic=True)


def test_equal_files_have_no_differences(data):
    assert describe_differences(data, data) == []


def test_other_weights_are_named_with_how_far_apart_they_and_the_scores_are(data):
    lines = describe_differences(data, make_file(LOANS, LOANS_SCALING, bias=1.5))
    assert "weights bias: 1 of 1 differ, at most by 0.5" in lines
    assert "document golden: scores" in lines
    assert "document provenance: parameters" in lines
    (scores,) = [line for line in lines if line.startswith("golden rows")]
    assert 0.05 < float(scores.rpartition(" ")[2]) < 0.2


def test_a_node_an_operator_set_and_a_producer_are_named(data):
    def change(model):
        model.graph.node[4].name = "sigmoid of mine"
        model.opset_import[0].version = 20
        model.producer_name = "somebody"

    lines = describe_differences(data, changed(data, change))
    assert lines[:3] == [
        "producer_name: '', now 'somebody'",
        "operator sets: ['ai.onnx 21'], now ['ai.onnx 20']",
        "nodes that differ: Sigmoid",
    ]
    assert lines[3] == "golden rows: scores differ at most by 0"


def test_a_node_and_a_weight_more_are_counted(data):
    def change(model):
        model.graph.node.append(onnx.helper.make_node("Identity", ["X"], ["copy"]))
        model.graph.initializer.add(name="spare", data_type=11)

    lines = describe_differences(data, changed(data, change))
    assert lines[:2] == ["nodes: 7, now 8", "weights on one side only: spare"]


def test_a_document_more_and_a_changed_key_are_named(data):
    def change(model):
        model.metadata_props.add(key="note", value="made on a Monday")
        for prop in model.metadata_props:
            if prop.key == "decision":
                prop.value = json.dumps(json.loads(prop.value) | {"threshold": 0.5})

    lines = describe_differences(data, changed(data, change))
    assert lines[:2] == ["document decision: threshold", "document note: there on one side only"]


def test_another_order_of_the_same_is_said_to_be_that(data):
    def turn(model):
        props = list(model.metadata_props)[::-1]
        del model.metadata_props[:]
        model.metadata_props.extend(props)

    assert describe_differences(data, changed(data, turn)) == ["golden rows: scores differ at most by 0"]


ENDING = [data for name, data in broken_files().items() if name != "graph_without_end"]  # what can be run


@pytest.mark.parametrize("other", [b"\xff\xff", make_file(MIXED, MIXED_SCALING), *ENDING])
def test_no_file_is_too_strange_to_be_compared(data, other):
    assert describe_differences(data, other)
    assert describe_differences(other, data)
