"""The input tensors of the Open Inference Protocol: checks them and encodes them as rows.

Source: KServe, "Open Inference Protocol", inference_rest.md, sections "Request Input" and "Tensor Data".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from serve.api.binary import SIZE, Raw, read_values
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.contract.tables import encode_columns
from serve.errors import RequestError

MATRIX = "X"
FLOATS = ("FP64", "FP32", "FP16")
WHOLE = {f"{sign}INT{bits}": (sign, bits) for sign in ("", "U") for bits in (8, 16, 32, 64)}
NUMBERS = (*FLOATS, *WHOLE, "BOOL")
# These parameters ask for extensions that change the meaning of data, and that are not offered.
EXTENSIONS = {
    "shared_memory_region": "the shared memory extensions",
    "classification": "the classification extension",
}


@dataclass(frozen=True)
class Tensor:
    """One input of a request: n rows of `width` values, flat in row-major order. `where` is its path."""

    where: str
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[object]

    @property
    def width(self) -> int:
        """The length of the second dimension; 1 without one."""
        return self.shape[1] if len(self.shape) == 2 else 1


def read_tensors(request: Mapping[str, Any], raw: Raw) -> list[Tensor]:
    """Return the inputs of a request, each of the same n rows.   raw: holds binary data. Raises RequestError."""
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise RequestError("inputs: expected a list of at least one tensor")
    tensors = [_read_tensor(tensor, raw, f"inputs[{number}]") for number, tensor in enumerate(inputs)]
    raw.finish()
    rows = tensors[0].shape[0]
    for tensor in tensors[1:]:
        if tensor.shape[0] != rows:
            raise RequestError(f"{tensor.where}.shape: expected as many rows as inputs[0] has")
    if rows == 0:
        raise RequestError("inputs[0].shape: expected at least one row")
    return tensors


def encode_tensors(contract: Contract, tensors: Sequence[Tensor]) -> np.ndarray:
    """Return (n, F) float64. Raises RequestError for a malformed tensor, ApplicationError for values that break the
    contract.
    """
    features = {feature.name: feature for feature in contract.scored}
    if MATRIX not in features and any(tensor.name == MATRIX for tensor in tensors):
        return _encode_matrix(contract, tensors)
    columns: dict[str, Sequence[object]] = {}
    for tensor in tensors:
        feature = features.get(tensor.name)
        if feature is None:
            raise RequestError(f"{tensor.where}.name: unknown, expected {MATRIX} or {', '.join(features)}")
        if feature.name in columns:
            raise RequestError(f"{tensor.where}.name: stands twice")
        if tensor.width != 1:
            raise RequestError(f"{tensor.where}.shape: expected [N] or [N, 1]")
        _check_datatype(tensor, _datatypes(feature))
        columns[feature.name] = _as_numbers(tensor)
    return encode_columns(contract, columns)


def refuse_extensions(document: Mapping[str, Any], where: str) -> None:
    """Raise RequestError when `parameters` is no object or asks for an extension; all others have no effect."""
    parameters = document.get("parameters")
    if parameters is None:
        return
    for name in require_object(parameters, f"{where}parameters"):
        if name in EXTENSIONS:
            raise RequestError(f"{where}parameters.{name}: {EXTENSIONS[name]} is not supported, expected JSON data")


def require_object(value: object, where: str) -> Mapping[str, Any]:
    """Return the value if it is an object. Raises RequestError with its path, `where`."""
    if not isinstance(value, Mapping):
        raise RequestError(f"{where}: expected an object")
    return value


def _encode_matrix(contract: Contract, tensors: Sequence[Tensor]) -> np.ndarray:
    if len(tensors) > 1:
        raise RequestError(f"inputs: expected {MATRIX} alone, or one tensor a feature")
    (tensor,) = tensors
    names = [feature.name for feature in contract.scored]
    if len(tensor.shape) != 2 or tensor.width != len(names):
        raise RequestError(f"{tensor.where}.shape: expected [N, {len(names)}]: {', '.join(names)}")
    _check_datatype(tensor, NUMBERS)
    data = _as_numbers(tensor)
    indexed = replace(contract, features=tuple(feature.encoded for feature in contract.scored))
    return encode_columns(indexed, {name: data[i :: len(names)] for i, name in enumerate(names)})


def _datatypes(feature: Feature) -> tuple[str, ...]:
    return (*(("BYTES",) if feature.is_text else ()), *(NUMBERS if not feature.is_text or feature.takes_number else ()))


def _read_tensor(value: object, raw: Raw, where: str) -> Tensor:
    tensor = require_object(value, where)
    refuse_extensions(tensor, f"{where}.")
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if not isinstance(name, str):
        raise RequestError(f"{where}.name: expected text")
    if not isinstance(datatype, str):
        raise RequestError(f"{where}.datatype: expected text")
    if not isinstance(shape, list) or len(shape) not in (1, 2):
        raise RequestError(f"{where}.shape: expected a list of one or two dimensions")
    if not all(type(length) is int and 0 <= length < 2**64 for length in shape):
        raise RequestError(f"{where}.shape: expected whole numbers from 0, of 64 bits")
    size = (tensor.get("parameters") or {}).get(SIZE)
    if size is None:
        data = _flatten(tensor.get("data"), shape, f"{where}.data")
    elif "data" in tensor:
        raise RequestError(f"{where}: expected data or {SIZE}, not both")
    else:
        data = read_values(datatype, raw.take(size, f"{where}.parameters.{SIZE}"), math.prod(shape), where)
    return Tensor(where, name, datatype, tuple(shape), data)


def _flatten(data: object, shape: Sequence[int], where: str) -> Sequence[object]:
    """Return the values of a flat list, or of lists nested as the shape says, in row-major order."""
    if not isinstance(data, list):
        raise RequestError(f"{where}: expected a list")
    if len(shape) == 2 and any(isinstance(row, list) for row in data):
        if len(data) != shape[0] or not all(isinstance(row, list) and len(row) == shape[1] for row in data):
            raise RequestError(f"{where}: expected lists in a list, as many and as long as the shape says")
        data = [value for row in data for value in row]
    if len(data) != math.prod(shape):
        raise RequestError(f"{where}: expected as many values as the shape says")
    if any(isinstance(value, list | dict) for value in data):
        raise RequestError(f"{where}: expected numbers, text or null, nested no deeper than the shape says")
    return data


def _as_numbers(tensor: Tensor) -> Sequence[object]:
    """Return the values, those of a BOOL as 1 and 0. Raises RequestError."""
    if tensor.datatype != "BOOL":
        return tensor.data
    if not all(value is None or type(value) is bool for value in tensor.data):
        raise RequestError(f"{tensor.where}.data: expected true and false for BOOL")
    return [None if value is None else int(value) for value in tensor.data]


def _check_datatype(tensor: Tensor, expected: Sequence[str]) -> None:
    if tensor.datatype not in expected:
        raise RequestError(f"{tensor.where}.datatype: expected {' or '.join(expected)}")
    if tensor.datatype in WHOLE:
        sign, bits = WHOLE[tensor.datatype]
        low, high = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        # The contract judges values that are no numbers, as for every format.
        numbers = [value for value in tensor.data if isinstance(value, int | float)]
        if not all(low <= value < high and value == int(value) for value in numbers):
            raise RequestError(f"{tensor.where}.data: expected whole numbers within {tensor.datatype}")
