"""Reads what the explanations need from an ONNX file, without the onnx package: its trees, and a part of its graph.

Sources: protobuf's wire format, https://protobuf.dev/programming-guides/encoding, and the field numbers in onnx.proto3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import Any

_GRAPH = 7  # of a model
_NODE, _INPUT, _OUTPUT = 1, 11, 12  # of a graph
_VALUES = {2: "f", 3: "i", 4: "s", 7: "floats", 8: "ints", 9: "strings"}  # of an attribute
_VARINT, _EIGHT_BYTES, _TEXT, _FOUR_BYTES = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class Node:
    """A node of a graph: its operator, the names of its tensors, and its attributes, which are lists or one value."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: dict[str, Any]


def read_nodes(data: bytes) -> list[Node]:
    """Return the nodes of a model file that onnxruntime has loaded, in order."""
    return [_read_node(value) for number, value, _ in _fields(_graph(data)) if number == _NODE]


def with_output(data: bytes, name: str) -> bytes:
    """Return the file with one more output, a tensor that some node makes."""
    # Protobuf joins a message that stands twice, and appends what is repeated in it.
    return data + _write(_GRAPH, _write(_OUTPUT, _write(1, name.encode())))


def cut_before(data: bytes, nodes: int, name: str) -> bytes:
    """Return the file without its first nodes; the graph's input is a float tensor that one of them made."""
    graph = _graph(data)
    kept, passed = [], 0
    for number, _, raw in _fields(graph):
        passed += number == _NODE
        if number != _INPUT and (number != _NODE or passed > nodes):
            kept.append(bytes(raw))
    float_tensor = _write(1, b"\x08\x01")  # TypeProto.tensor_type with elem_type 1, float32
    kept.append(_write(_INPUT, _write(1, name.encode()) + _write(2, float_tensor)))
    rest = [bytes(raw) for number, _, raw in _fields(memoryview(data)) if number != _GRAPH]
    return b"".join([*rest, _write(_GRAPH, b"".join(kept))])


def _graph(data: bytes) -> memoryview:
    return next(value for number, value, _ in _fields(memoryview(data)) if number == _GRAPH)


def _read_node(message: memoryview) -> Node:
    parts: dict[int, list[Any]] = {1: [], 2: [], 4: [], 5: []}
    for number, value, _ in _fields(message):
        parts.setdefault(number, []).append(value)
    texts = [[str(value, "utf-8") for value in parts[number]] for number in (1, 2, 4)]
    return Node(texts[2][0], texts[0], texts[1], dict(map(_read_attribute, parts[5])))


def _read_attribute(message: memoryview) -> tuple[str, Any]:
    name, values = "", {}
    for number, value, _ in _fields(message):
        if number == 1:
            name = str(value, "utf-8")
        elif kind := _VALUES.get(number):
            values.setdefault(kind, []).append(bytes(value) if kind in ("s", "strings") else value)
    kind = next(iter(values), "ints")
    return name, values[kind][0] if kind in ("f", "i", "s") else values.get(kind, [])


def _fields(message: memoryview) -> Iterator[tuple[int, Any, memoryview]]:
    """Yield number, value and encoding of each field."""
    at = 0
    while at < len(message):
        begin = at
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _TEXT:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}[kind]
            value, at = unpack("<d" if size == 8 else "<f", message[at : at + size])[0], at + size
        yield key >> 3, value, message[begin:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _write(number: int, text: bytes) -> bytes:
    """Return the encoding of a field with a text or a message."""
    return _write_varint(number << 3 | _TEXT) + _write_varint(len(text)) + text


def _write_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
