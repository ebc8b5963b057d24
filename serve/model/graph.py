"""Checks what a model file is made of: plain operators, no data outside the file, no metadata document twice.

The server has no `onnx`: this reads those fields of ONNX's protobuf messages that matter here, and passes over the
others. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import re
from collections.abc import Iterator

from serve.errors import ModelFileError

# What graphs of tabular models are made of: arithmetic and trees; nothing that reads a file, loops or holds state.
# fmt: off
OPERATORS = frozenset({
    "Abs", "Add", "ArgMax", "ArrayFeatureExtractor", "Cast", "Clip", "Concat", "Div", "Exp", "Flatten",
    "Gather", "Identity", "IsNaN", "Less", "LinearClassifier", "Log", "MatMul", "Max", "Min", "Mul", "Neg",
    "Normalizer", "Not", "OneHotEncoder", "ReduceSum", "Relu", "Reshape", "Scaler", "Sigmoid", "Softmax", "Squeeze",
    "Sub", "Sum", "Tanh", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "Unsqueeze", "Where",
})
# fmt: on
OPERATOR_SETS = {"": 21, "ai.onnx.ml": 3}  # the newest that parity was proved with
NEWEST_IR = 10

# Field numbers, message by message.
_IR_VERSION, _GRAPH, _SETS, _METADATA, _TRAINING, _FUNCTIONS = 1, 7, 8, 14, 20, 25
_DOMAIN_OF_SET, _VERSION_OF_SET, _KEY = 1, 2, 1
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_TENSOR, _TENSORS, _SUBGRAPH, _SUBGRAPHS, _SPARSE, _SPARSES = 5, 10, 6, 11, 22, 23
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14

Message = dict[int, list[int | memoryview]]  # what stands at each field number, in the file's order
_LONGEST_NUMBER = 10  # bytes of a number of 64 bits
# A tree ensemble holds millions of numbers and short names, one field each, that are passed over at once:
# `floats` (field 7), `ints` (field 8), and `strings` (field 9) of up to 16 bytes.
_STRINGS = b"|".join(rb"\x4a\x%02x.{%d}" % (length, length) for length in range(17))
_LISTS = re.compile(rb"(?:\x3d.{4}|\x40[\x80-\xff]*+[\x00-\x7f]|%b)++" % _STRINGS, re.DOTALL)


def check_graph(data: bytes) -> None:
    """Raise ModelFileError unless a file is a graph of plain operators with all its data inside."""
    model = _read(data)
    if model.keys() & {_TRAINING, _FUNCTIONS}:
        raise ModelFileError("the model brings a graph for training or functions of its own")
    for version in _numbers(model, _IR_VERSION):
        if version > NEWEST_IR:
            raise ModelFileError(f"the model has IR version {version}, expected at most {NEWEST_IR}")
    for used in _messages(model, _SETS):
        (domain,) = _texts(used, _DOMAIN_OF_SET) or [""]
        domain = "" if domain == "ai.onnx" else domain
        for version in _numbers(used, _VERSION_OF_SET):
            if version > OPERATOR_SETS.get(domain, 0):
                raise ModelFileError(f"the model uses the operator set {domain or 'ai.onnx'} {version}")
    keys = [key for prop in _messages(model, _METADATA) for key in _texts(prop, _KEY)]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:  # one reader would take the first, another the last
        raise ModelFileError(f"the metadata document {twice[0]!r} stands twice")
    for graph in _messages(model, _GRAPH):
        _check_nodes(graph)


def _check_nodes(graph: Message) -> None:
    if _SPARSE_INITIALIZER in graph:
        raise ModelFileError("the graph holds sparse data")
    _check_tensors(_messages(graph, _INITIALIZER))
    for node in _messages(graph, _NODE):
        (operator,), (domain,) = _texts(node, _OPERATOR) or [""], _texts(node, _DOMAIN) or [""]
        if operator not in OPERATORS or domain not in ("", "ai.onnx.ml"):
            raise ModelFileError(f"the graph uses the operator {domain or 'ai.onnx'}:{operator}")
        for attribute in _messages(node, _ATTRIBUTE, passed_over=_LISTS):
            _check_tensors([*_messages(attribute, _TENSOR), *_messages(attribute, _TENSORS)])
            if attribute.keys() & {_SUBGRAPH, _SUBGRAPHS}:
                raise ModelFileError(f"the operator {operator} holds a graph of its own")
            if attribute.keys() & {_SPARSE, _SPARSES}:
                raise ModelFileError(f"the operator {operator} holds sparse data")


def _check_tensors(tensors: list[Message]) -> None:
    if any(_EXTERNAL_DATA in tensor or any(_numbers(tensor, _DATA_LOCATION)) for tensor in tensors):
        raise ModelFileError("the graph keeps data outside the file")


def _messages(message: Message, field: int, passed_over: re.Pattern[bytes] | None = None) -> list[Message]:
    return [_read(value, passed_over) for value in _values(message, field, memoryview)]


def _texts(message: Message, field: int) -> list[str]:
    """Return the one text at a field, none where it is absent; two, of which a reader takes the last, are refused."""
    texts = [bytes(value).decode("utf-8", "replace") for value in _values(message, field, memoryview)]
    if len(texts) > 1:
        raise _malformed()
    return texts


def _numbers(message: Message, field: int) -> list[int]:
    return _values(message, field, int)


def _values(message: Message, field: int, kind: type) -> list:
    values = message.get(field, [])
    if not all(isinstance(value, kind) for value in values):
        raise _malformed()
    return values


def _read(data: bytes | memoryview, passed_over: re.Pattern[bytes] | None = None) -> Message:
    """Return the fields of a protobuf message. Raises ModelFileError if it is none."""
    message: Message = {}
    for field, value in read_fields(memoryview(data), passed_over):
        message.setdefault(field, []).append(value)
    return message


def read_fields(
    data: memoryview, passed_over: re.Pattern[bytes] | None = None
) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a protobuf message. Raises ModelFileError if it is none."""
    at = 0
    while at < len(data):
        if passed_over and (found := passed_over.match(data, at)):
            at = found.end()
            continue
        tag, at = _number(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _number(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _number(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:  # groups, which ONNX has none of
            raise _malformed()
        if length > len(data) - at:
            raise _malformed()
        yield tag >> 3, data[at : at + length]
        at += length


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and where the next thing begins."""
    number = 0
    for position, byte in enumerate(data[at : at + _LONGEST_NUMBER]):
        number |= (byte & 127) << 7 * position
        if byte < 128:
            return number, at + position + 1
    raise _malformed()


def _malformed() -> ModelFileError:
    return ModelFileError("the file is not an ONNX model")
