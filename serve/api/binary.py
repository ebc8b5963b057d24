"""The binary tensor data extension of the Open Inference Protocol, the default of Triton's and KServe's clients.

A body is JSON of as many bytes as the header says, then the tensors that give their `binary_data_size`, little-endian,
in row-major order; an element of BYTES is its length in four bytes and its UTF-8.
Source: Triton Inference Server, docs/protocol/extension_binary_data.md.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flask import Response, current_app, g, request

from serve import strict_json
from serve.api.body import read_json_batch
from serve.contract.contract import Contract
from serve.errors import RequestError

HEADER = "Inference-Header-Content-Length"
SIZE, WANTED = "binary_data_size", "binary_data"  # parameters of an input, and of an output
DTYPES = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BOOL": "u1"}
DTYPES |= {f"{sign}INT{8 * size}": f"<{sign.lower() or 'i'}{size}" for sign in ("", "U") for size in (1, 2, 4, 8)}
VALUE_BYTES = 72  # of memory for each value, in its list, its column and X


class Raw:
    """The bytes after the JSON of a request, from which each tensor takes its own."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def take(self, size: object, where: str) -> memoryview:
        """Return the next `size` bytes. Raises RequestError."""
        if type(size) is not int or not 0 <= size <= len(self._left):
            raise RequestError(f"{where}: expected a number of bytes that follow the JSON, whose size is in {HEADER}")
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def finish(self) -> None:
        """Raise RequestError when bytes are left."""
        if self._left:
            raise RequestError(f"expected no more bytes than the tensors' {SIZE} say")


def read_document(contract: Contract) -> tuple[Any, Raw]:
    """Return the JSON of this request, and what follows it. Raises RequestError, and as `read_json_batch`."""
    raw = b""
    text = request.headers.get(HEADER)

    def to_json(body: bytes) -> bytes:
        nonlocal raw
        if text is None:
            return body
        if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= len(body)):
            raise RequestError(f"{HEADER}: expected a number of bytes, no more than the body has")
        raw = body[int(text) :]
        return body[: int(text)]

    return read_json_batch(contract, True, to_json), Raw(raw)


def read_values(datatype: str, data: memoryview, count: int, where: str) -> list[Any]:
    """Return `count` values: numbers, None for NaN, booleans or texts. Raises RequestError, ServiceUnavailable."""
    fault = RequestError(f"{where}: expected {count} values of {datatype}")
    if count > len(data) or (datatype != "BYTES" and datatype not in DTYPES):
        raise fault
    g.room.enter_context(current_app.extensions["room"].hold(VALUE_BYTES * count))
    if datatype == "BYTES":
        try:
            return _read_texts(data, count)
        except (struct.error, ValueError):
            raise fault from None
    array = np.frombuffer(data, DTYPES[datatype]) if len(data) % np.dtype(DTYPES[datatype]).itemsize == 0 else []
    if len(array) != count or (datatype == "BOOL" and np.any(array > 1)):
        raise fault
    if datatype == "BOOL":
        return array.astype(bool).tolist()
    values = array.tolist()
    for row in np.flatnonzero(array != array):
        values[row] = None
    return values


def _read_texts(data: memoryview, count: int) -> list[str]:
    texts, start = [], 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, start)
        if start + 4 + size > len(data):
            raise ValueError
        texts.append(str(data[start + 4 : start + 4 + size], "utf-8"))
        start += 4 + size
    if start != len(data):
        raise ValueError
    return texts


def respond_in_binary(document: dict[str, Any], wanted: Sequence[bool]) -> Response:
    """Return a response whose outputs follow the JSON where `wanted`, one for each output, says so."""
    parts = []
    for output, is_wanted in zip(document["outputs"], wanted, strict=True):
        if is_wanted:
            parts.append(_write_values(output["datatype"], output.pop("data")))
            output["parameters"] = {SIZE: len(parts[-1])}
    head = strict_json.dumps(document)
    response = Response(b"".join([head, *parts]), mimetype="application/octet-stream")
    response.headers[HEADER] = str(len(head))
    return response


def _write_values(datatype: str, values: Sequence[Any]) -> bytes:
    if datatype != "BYTES":
        return np.array(values, DTYPES[datatype]).tobytes()
    texts = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def is_wanted(document: Mapping[str, Any], name: str) -> bool:
    """Return whether a request asks for this output in binary."""
    for output in document.get("outputs") or ():
        parameters = output.get("parameters") or {}
        if output.get("name") == name and WANTED in parameters:
            return parameters[WANTED] is True
    return (document.get("parameters") or {}).get("binary_data_output") is True
