"""Judges and encodes a feature's column from Arrow, with the same result as `Feature.encode` on each value.

Vectorised comparisons accept the values that are certainly valid; `Feature.encode` judges each of the others.
"""

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from serve.contract.feature import Fault, Feature

Faults = dict[int, Fault]  # by row


def encode_arrow(feature: Feature, values: pa.Array, optional: bool = False) -> tuple[np.ndarray, Faults]:
    """Return (n,) float64, NaN where missing or at fault, and the fault of each row that has one, in order of rows.

    optional: null means unknown whatever the contract says, as for a monitored feature.
    """
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    numbers = _codes(feature, values) if feature.is_category else _floats(values)
    valid = _valid(feature, numbers, types.is_integer(values.type))
    if values.null_count and (optional or feature.missing):
        valid |= np.asarray(values.is_null())
    if valid.all():
        return numbers, {}
    numbers = numbers.copy()  # it may be the column's own memory
    faults: Faults = {}
    kinds: dict[str, Fault] = {}  # all faults of a kind share one object, which holds no frame
    for row in np.flatnonzero(~valid).tolist():
        try:
            numbers[row] = feature.encode(values[row].as_py())
        except Fault as fault:
            faults[row] = kinds.setdefault(fault.kind, fault.with_traceback(None))
            numbers[row] = np.nan
    return numbers, faults


def _floats(values: pa.Array) -> np.ndarray:
    if types.is_null(values.type):
        return np.full(len(values), np.nan)
    # Beyond 2**53 an integer may round here, but never into a contract's range, whose ends are whole to float64.
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _codes(feature: Feature, texts: pa.Array) -> np.ndarray:
    """Return the index of each text among the feature's values, NaN for null and for any other text."""
    if types.is_null(texts.type):
        return np.full(len(texts), np.nan)
    codes = pc.index_in(texts.cast(pa.large_string()), value_set=pa.array(feature.values, pa.large_string()))
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.float64)


def _valid(feature: Feature, numbers: np.ndarray, is_whole: bool) -> np.ndarray:
    """Return which of (n,) are certainly valid; a missing value is not."""
    low, high = (0, len(feature.values) - 1) if feature.is_category else (feature.min, feature.max)
    valid = (numbers >= low) & (numbers <= high)
    if feature.type == "integer" and not is_whole:
        valid &= numbers == np.trunc(numbers)
    return valid
