"""Encodes many values of one feature at once, as `Feature.encode` does each of them.

The vectorised paths accept only columns without a fault; every other column is judged by `Feature.encode`.
"""

import struct
from collections.abc import Sequence

import numpy as np

from serve.contract.csv_cells import as_floats, read_decimals
from serve.contract.fault import Fault
from serve.contract.feature import NAN, Feature


def encode_column(feature: Feature, values: Sequence[object]) -> tuple[np.ndarray, dict[int, Fault]]:
    """Return (n,) float64, NaN at a fault, and the fault of each row that has one, in the order of rows."""
    fast = (_encode_texts if feature.is_text else _encode_numbers)(feature, values)
    if fast is not None:
        return fast, {}
    encoded = np.full(len(values), NAN)
    faults: dict[int, Fault] = {}
    kinds: dict[str, Fault] = {}  # rows share one fault of a kind, which holds no frame
    for row, value in enumerate(values):
        try:
            encoded[row] = feature.encode(value)
        except Fault as fault:
            faults[row] = kinds.setdefault(fault.kind, fault.with_traceback(None))
    return encoded, faults


def encode_monitored(feature: Feature, values: Sequence[object]) -> tuple[np.ndarray, dict[int, Fault]]:
    """Return what `encode_column` does for a monitored feature, of which an absent value is unknown: NaN where None."""
    present = [row for row, value in enumerate(values) if value is not None]
    numbers = np.full(len(values), NAN)
    numbers[present], faults = encode_column(feature, [values[row] for row in present])
    return numbers, {present[row]: fault for row, fault in faults.items()}


def encode_cells(feature: Feature, cells: Sequence[str]) -> tuple[np.ndarray, dict[int, Fault]]:
    """Return what `encode_column` does for the values that `Feature.parse` makes of CSV cells."""
    numbers = None if feature.is_text else read_decimals(cells)
    if numbers is not None and _takes(feature, numbers):
        return numbers, {}
    return encode_column(feature, list(map(feature.parse, cells)))


def _encode_texts(feature: Feature, values: Sequence[object]) -> np.ndarray | None:
    if not set(map(type, values)) <= {str, type(None)}:
        return None
    try:
        codes = {value: feature.encode(value) for value in set(values)}
    except Fault:
        return None
    return np.fromiter(map(codes.__getitem__, values), np.float64, len(values))


def _encode_numbers(feature: Feature, values: Sequence[object]) -> np.ndarray | None:
    kinds = set(map(type, values))
    if not kinds <= ({int, float, type(None)} if feature.missing else {int, float}):
        return None
    try:
        numbers = as_floats(values, type(None) in kinds)
    except (OverflowError, struct.error):
        return None
    absent = np.count_nonzero(np.isnan(numbers))
    if absent and values.count(None) != absent:
        return None  # a NaN among the numbers
    return numbers if _takes(feature, numbers) else None


def _takes(feature: Feature, numbers: np.ndarray) -> bool:
    """Whether all of (n,) float64 keep the contract; NaN is a missing value."""
    present = numbers[~np.isnan(numbers)] if feature.missing else numbers
    within = np.all((present >= feature.min) & (present <= feature.max))
    return bool(within and (feature.type != "integer" or np.all(present == np.trunc(present))))
