"""What is refused at promotion, by name; what the product's own factories export passes."""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from loan_approval.registry.file_check import check_file
from loan_approval.training.calibration import CHOICES
from loan_approval.training.factory import ModelFactory, factory_names
from serve.errors import ModelFileError
from tests.model_files import LOANS, LOANS_SCALING, broken_files, make_file


def check(data: bytes) -> None:
    check_file(data, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("fault", sorted(broken_files()))
def test_a_broken_file_is_refused_at_promotion(fault: str) -> None:
    with pytest.raises(ModelFileError):
        check(broken_files()[fault])


def test_a_right_file_passes() -> None:
    check(make_file(LOANS, LOANS_SCALING))


@pytest.mark.parametrize("calibration", CHOICES)
@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
@pytest.mark.parametrize("dataset", ["loans", "homes"])
def test_what_each_factory_exports_passes(
    make_model: Callable, dataset: str, model_name: str, calibration: str
) -> None:
    check(make_model(dataset, model_name, calibration=calibration).data)


def add_node(model: onnx.ModelProto, operator: str, domain: str = "", **attributes: object) -> None:
    node = helper.make_node(operator, ["X"], ["unused"], domain=domain)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    model.graph.node.append(node)


def outside() -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.zeros(1), "outside")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    tensor.ClearField("raw_data")
    return tensor


def unlisted_operator(model: onnx.ModelProto) -> None:
    add_node(model, "RandomNormalLike")


def operator_of_another_domain(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", domain="com.microsoft")


def operator_set_of_another_domain(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)


def newer_operator_set(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 22


def newer_ir(model: onnx.ModelProto) -> None:
    model.ir_version = 11


def loop(model: onnx.ModelProto) -> None:
    add_node(model, "Loop", body=helper.make_graph([], "inner", [], []))


def graph_in_a_listed_operator(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", body=helper.make_graph([], "inner", [], []))


def graphs_in_a_listed_operator(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", bodies=[helper.make_graph([], "inner", [], [])])


def function(model: onnx.ModelProto) -> None:
    opsets = [helper.make_opsetid("", 21)]
    model.functions.append(
        helper.make_function("own", "Sigmoid", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], opsets)
    )


def training_graph(model: onnx.ModelProto) -> None:
    model.training_info.add().initialization.name = "training"


def sparse() -> onnx.SparseTensorProto:
    values = numpy_helper.from_array(np.zeros(1), "sparse")
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64), "where"), [3])


def sparse_weights(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.append(sparse())


def sparse_attribute(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", value=sparse())


def weights_outside(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(outside())


def weights_that_only_name_a_place_outside(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="weights.bin")


def attribute_outside(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", value=outside())


def attributes_outside(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", values=[outside()])


def unknown_attribute(model: onnx.ModelProto) -> None:
    add_node(model, "Identity", to=1)


def value_from_nowhere(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Identity", ["nowhere"], ["unused"]))


def document_twice(model: onnx.ModelProto) -> None:
    (decision,) = [prop for prop in model.metadata_props if prop.key == "decision"]
    model.metadata_props.add(key="decision", value=json.dumps(json.loads(decision.value) | {"threshold": 0.01}))


REFUSED = [
    (unlisted_operator, "the graph uses the operator ai.onnx:RandomNormalLike"),
    (operator_of_another_domain, "the graph uses the operator com.microsoft:Identity"),
    (operator_set_of_another_domain, "the model uses the operator set com.microsoft 1"),
    (newer_operator_set, "the model uses the operator set ai.onnx 22"),
    (newer_ir, "the model has IR version 11, expected at most 10"),
    (loop, "the graph uses the operator ai.onnx:Loop"),
    (graph_in_a_listed_operator, "the operator Identity holds a graph of its own"),
    (graphs_in_a_listed_operator, "the operator Identity holds a graph of its own"),
    (function, "the model brings functions or sparse data of its own"),
    (training_graph, "the model brings a graph for training"),
    (sparse_weights, "the model brings functions or sparse data of its own"),
    (sparse_attribute, "the model brings functions or sparse data of its own"),
    (weights_outside, "the graph keeps data outside the file"),
    (weights_that_only_name_a_place_outside, "the graph keeps data outside the file"),
    (attribute_outside, "the graph keeps data outside the file"),
    (attributes_outside, "the graph keeps data outside the file"),
    (unknown_attribute, "the graph is not well formed"),
    (value_from_nowhere, "the graph is not well formed"),
    (document_twice, "the metadata document 'decision' stands twice"),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED, ids=lambda item: getattr(item, "__name__", ""))
def test_what_does_not_belong_in_a_file_is_refused_by_name(
    change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    model = onnx.load_from_string(make_file(LOANS, LOANS_SCALING))
    change(model)
    with pytest.raises(ModelFileError, match=reason):
        check(model.SerializeToString())


def test_another_hash_than_recorded_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ModelFileError, match=f"expected {'0' * 64}"):
        check_file(b"", "0" * 64)
