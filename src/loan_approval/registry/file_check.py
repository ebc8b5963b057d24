"""Checks what a model file is made of: plain operators, no data outside the file, no metadata document twice.

The server has no `onnx`, so a file is checked here before it reaches a store.
"""

import hashlib

import onnx
from google.protobuf.message import DecodeError

from serve.errors import ModelFileError
from serve.model.scorer import Scorer

# What graphs of tabular models are made of: arithmetic and trees; nothing that reads a file, loops or holds state.
# fmt: off
OPERATORS = frozenset({
    "Abs", "Add", "ArgMax", "ArrayFeatureExtractor", "Cast", "Clip", "Concat", "Div", "Exp", "Flatten",
    "Gather", "Identity", "IsNaN", "Less", "LinearClassifier", "Log", "MatMul", "Max", "Min", "Mul", "Neg",
    "Normalizer", "Not", "OneHotEncoder", "ReduceSum", "Reshape", "Scaler", "Sigmoid", "Softmax", "Squeeze", "Sub",
    "Sum", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "Unsqueeze", "Where",
})
# fmt: on
OPERATOR_SETS = {"": 21, "ai.onnx.ml": 3}  # the newest that parity was proved with
NEWEST_IR = 10


def check_file(data: bytes, sha256: str) -> None:
    """Raise ModelFileError unless a file has the recorded hash, is a well-formed graph of plain operators with no data
    outside it, and replays its golden rows.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelFileError(f"the file has sha256 {found}, expected {sha256}")
    try:
        model = onnx.load_from_string(data)
    except DecodeError as err:
        raise ModelFileError("the file is not an ONNX model") from err
    _check_model(model)
    _check_graph(model.graph)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as err:
        raise ModelFileError(f"the graph is not well formed: {str(err).splitlines()[0]}") from err
    Scorer(data, sha256)  # runs the graph, so it comes last


def _check_model(model: onnx.ModelProto) -> None:
    if model.functions or model.graph.sparse_initializer:
        raise ModelFileError("the model brings functions or sparse data of its own")
    if model.training_info:
        raise ModelFileError("the model brings a graph for training")
    if model.ir_version > NEWEST_IR:
        raise ModelFileError(f"the model has IR version {model.ir_version}, expected at most {NEWEST_IR}")
    for used in model.opset_import:
        domain = "" if used.domain == "ai.onnx" else used.domain
        if used.version > OPERATOR_SETS.get(domain, 0):
            raise ModelFileError(f"the model uses the operator set {domain or 'ai.onnx'} {used.version}")
    keys = [prop.key for prop in model.metadata_props]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:  # one reader would take the first, another the last
        raise ModelFileError(f"the metadata document {twice[0]!r} stands twice")


def _check_graph(graph: onnx.GraphProto) -> None:
    if any(_lies_outside(tensor) for tensor in graph.initializer):
        raise ModelFileError("the graph keeps data outside the file")
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx.ml"):
            raise ModelFileError(f"the graph uses the operator {node.domain or 'ai.onnx'}:{node.op_type}")
        for attribute in node.attribute:
            if any(map(_lies_outside, [attribute.t, *attribute.tensors])):
                raise ModelFileError("the graph keeps data outside the file")
            if attribute.HasField("g") or attribute.graphs:
                raise ModelFileError(f"the operator {node.op_type} holds a graph of its own")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelFileError("the model brings functions or sparse data of its own")


def _lies_outside(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or bool(tensor.external_data)
