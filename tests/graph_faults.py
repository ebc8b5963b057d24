"""Changes to a right model file, each of which makes its graph one that is refused."""

import json
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


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


def rows_fixed(model: onnx.ModelProto) -> None:
    """Take as many rows as there are golden rows, as the declared input says."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = _golden_rows(model)


def rows_fixed_inside(model: onnx.ModelProto) -> None:
    """Take as many rows as there are golden rows, whatever the declared input says."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([_golden_rows(model), 7]), "shape"))
    model.graph.node[0].input[0] = model.graph.node[1].input[2] = "reshaped"
    model.graph.node.insert(0, helper.make_node("Reshape", ["X", "shape"], ["reshaped"]))


def _golden_rows(model: onnx.ModelProto) -> int:
    (golden,) = [prop.value for prop in model.metadata_props if prop.key == "golden"]
    return len(json.loads(golden)["rows"])


def memory_while_loading(model: onnx.ModelProto) -> None:
    """Make onnxruntime compute 20 GB of constants."""
    tall, wide = np.ones((50_000, 1)), np.ones((1, 50_000))
    model.graph.initializer.extend([numpy_helper.from_array(tall, "tall"), numpy_helper.from_array(wide, "wide")])
    model.graph.node.insert(0, helper.make_node("Mul", ["tall", "wide"], ["huge"]))
    _add_to_probabilities(model, "huge")


def memory_for_many_rows(model: onnx.ModelProto) -> None:
    """Need 16 GB for a batch of 4,096 rows, and little for the golden rows."""
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((2, 500_000)), "wide"))
    model.graph.node.append(helper.make_node("MatMul", ["probabilities", "wide"], ["huge"]))
    _add_to_probabilities(model, "huge")


def time_while_loading(model: onnx.ModelProto) -> None:
    """Make onnxruntime compute constants for minutes, with little memory."""
    model.graph.initializer.append(numpy_helper.from_array(np.eye(1400), "square"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 1400)), "product 0"))
    for i in range(100_000):
        model.graph.node.insert(i, helper.make_node("MatMul", [f"product {i}", "square"], [f"product {i + 1}"]))
    _add_to_probabilities(model, "product 100000")


def _add_to_probabilities(model: onnx.ModelProto, name: str) -> None:
    """Add nothing, of a sum that has to be computed."""
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1), "nothing"))
    for node in model.graph.node:
        for place, output in enumerate(node.output):
            if output == "probabilities":
                node.output[place] = "plain"
        for place, source in enumerate(node.input):
            if source == "probabilities":
                node.input[place] = "plain"
    model.graph.node.extend(
        [
            helper.make_node("ReduceSum", [name], ["sum"], keepdims=0),
            helper.make_node("Mul", ["sum", "nothing"], ["zero"]),
            helper.make_node("Add", ["plain", "zero"], ["probabilities"]),
        ]
    )


GRAPH_FAULTS: list[Callable[[onnx.ModelProto], None]] = [
    *(unlisted_operator, operator_of_another_domain, operator_set_of_another_domain, newer_operator_set, newer_ir),
    *(loop, graph_in_a_listed_operator, graphs_in_a_listed_operator, function, training_graph),
    *(sparse_weights, sparse_attribute, weights_outside, weights_that_only_name_a_place_outside),
    *(attribute_outside, attributes_outside, unknown_attribute, value_from_nowhere, document_twice),
    *(rows_fixed, rows_fixed_inside),
]
# Only a process with limits may open these.
BOMBS: list[Callable[[onnx.ModelProto], None]] = [memory_while_loading, memory_for_many_rows, time_while_loading]


def spoil(data: bytes, changes: list[Callable[[onnx.ModelProto], None]]) -> dict[str, bytes]:
    """Return the file changed by each, by the change's name."""
    spoiled = {}
    for change in changes:
        model = onnx.load_from_string(data)
        change(model)
        spoiled[change.__name__] = model.SerializeToString()
    return spoiled
