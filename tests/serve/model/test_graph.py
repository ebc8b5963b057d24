"""What a file is made of, read without onnx; the faults of whole files are in test_scorer."""

import pytest

from serve.errors import ModelFileError
from serve.model.graph import check_graph


def field(number: int, value: int | bytes | str) -> bytes:
    """Return one field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    head, low = divmod(value, 128)
    return bytes([low | 128]) + varint(head) if head else bytes([low])


def model(node: bytes = b"", graph: bytes = b"") -> bytes:
    """Return a model with one node, which is an Identity but for what is added."""
    return field(1, 10) + field(7, field(1, field(4, "Identity") + node) + graph)


TENSOR_OUTSIDE = field(14, 1)
LISTS = b"\x3d1234" + field(8, 129) + field(9, "BRANCH_LEQ") + field(9, "")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x08", "not an ONNX model"),
        (b"\x08" + b"\x80" * 11, "not an ONNX model"),
        (field(7, b"x")[:-1], "not an ONNX model"),
        (field(7, 1), "not an ONNX model"),
        (field(1, b"10"), "not an ONNX model"),
        (b"\x0b\x0c", "not an ONNX model"),  # a group
        (b"\x09\x00", "not an ONNX model"),  # eight bytes are announced, and one follows
        (model(node=field(4, "Loop")), "not an ONNX model"),
        (model(node=field(7, "ai.onnx.ml") + field(7, "com.microsoft")), "not an ONNX model"),
        (model() + model(graph=field(1, field(4, "Loop"))), "the operator ai.onnx:Loop"),
        (model(graph=field(1, b"")), "the operator ai.onnx:$"),
        (
            model(node=field(5, b"\x3d1234" + b"\x40\x81\x01" + field(9, "BRANCH_LEQ") + field(6, b""))),
            "graph of its own",
        ),
        (model(node=field(5, field(9, "x" * 17) + field(11, b""))), "graph of its own"),
        (model(node=field(5, field(5, TENSOR_OUTSIDE))), "data outside the file"),
        (model(node=field(5, field(10, TENSOR_OUTSIDE))), "data outside the file"),
        (model(graph=field(5, b"") + field(5, field(14, 0) + TENSOR_OUTSIDE)), "data outside the file"),
        (model() + field(8, field(1, "ai.onnx") + field(2, 22)), "the operator set ai.onnx 22"),
        (model() + field(8, field(2, 21) + field(2, 22)), "the operator set ai.onnx 22"),
    ],
)
def test_a_message_that_two_readers_may_understand_differently_or_that_is_unfit_is_refused(data, reason):
    with pytest.raises(ModelFileError, match=reason):
        check_graph(data)


def test_fields_that_do_not_matter_are_passed_over():
    eight_bytes = b"\x11" + bytes(8)
    lists = LISTS + field(7, b"packed") + field(9, "x" * 200) + LISTS
    check_graph(model(node=field(5, lists)) + field(200, b"new") + field(201, 7) + eight_bytes)


def test_each_right_file_passes(model_file):
    for name in ("loans", "mixed"):
        check_graph(model_file(name))
