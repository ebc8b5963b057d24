"""Reads what the explanations need from an ONNX file, without the onnx package: its trees, and a part of its graph.

Sources: protobuf's wire format, https://protobuf.dev/programming-guides/encoding, and the field numbers in onnx.proto3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import unpack
from typing import Any

from serve.model.graph import read_fields

_GRAPH = 7  # of a model
_NODE, _INPUT, _OUTPUT = 1, 11, 12  # of a graph
_VALUES = {2: "f", 3: "i", 4: "s", 7: "floats", 8: "ints", 9: "strings"}  # of an attribute


@dataclass(frozen=True)
class Node:
    """A node of a graph: its operator, the names of its tensors, and its attributes, which are lists or one value."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: dict[str, Any]


def read_nodes(data: bytes) -> list[Node]:
    """Return the nodes of a file that `check_graph` has passed, in order."""
    return [_read_node(value) for number, value in read_fields(_graph(data)) if number == _NODE]


def with_output(data: bytes, name: str) -> bytes:
    """Return the file with one more output, a tensor that some node makes."""
    # Protobuf joins a message that stands twice, and appends what is repeated in it.
    return data + _write(_GRAPH, _write(_OUTPUT, _write(1, name.encode())))


def cut_before(data: bytes, nodes: int, name: str) -> bytes:
    """Return the file without its first nodes; the graph's input is a float tensor that one of them made."""
    kept, passed = [], 0
    for number, value in read_fields(_graph(data)):
        passed += number == _NODE
        if number != _INPUT and (number != _NODE or passed > nodes):
            kept.append(_write(number, value))
    float_tensor = _write(1, _write(1, 1))  # TypeProto.tensor_type with elem_type 1, float32
    kept.append(_write(_INPUT, _write(1, name.encode()) + _write(2, float_tensor)))
    rest = [_write(number, value) for number, value in read_fields(memoryview(data)) if number != _GRAPH]
    return b"".join([*rest, _write(_GRAPH, b"".join(kept))])


def _graph(data: bytes) -> memoryview:
    return next(value for number, value in read_fields(memoryview(data)) if number == _GRAPH)


def _read_node(message: memoryview) -> Node:
    parts: dict[int, list[Any]] = {1: [], 2: [], 4: [], 5: []}
    for number, value in read_fields(message):
        parts.setdefault(number, []).append(value)
    texts = [[str(value, "utf-8") for value in parts[number]] for number in (1, 2, 4)]
    return Node(texts[2][0], texts[0], texts[1], dict(map(_read_attribute, parts[5])))


def _read_attribute(message: memoryview) -> tuple[str, Any]:
    name, values = "", {}
    for number, value in read_fields(message):
        if number == 1:
            name = str(value, "utf-8")
        elif kind := _VALUES.get(number):
            if kind in ("f", "floats"):
                (value,) = unpack("<f", value)
            values.setdefault(kind, []).append(bytes(value) if isinstance(value, memoryview) else value)
    kind = next(iter(values), "ints")
    return name, values[kind][0] if kind in ("f", "i", "s") else values.get(kind, [])


def _write(number: int, value: bytes | memoryview | int) -> bytes:
    """Return the encoding of a field: a number, a text or a message."""
    if isinstance(value, int):
        return _write_varint(number << 3) + _write_varint(value)
    return _write_varint(number << 3 | 2) + _write_varint(len(value)) + value


def _write_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
