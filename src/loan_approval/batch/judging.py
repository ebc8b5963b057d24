"""A feature's column from Arrow, judged as `Feature.encode` judges each value, and encoded as float64.

The arithmetic lets through what is plainly right; each value that is not goes to `Feature.encode`, the only judge.
"""

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from serve.contract.feature import Fault, Feature

Faults = dict[int, Fault]  # by row


def encode_arrow(feature: Feature, values: pa.Array, optional: bool = False) -> tuple[np.ndarray, Faults]:
    """Return (n,) float64, NaN where missing or at fault, and the fault of each row that has one, in order of rows.

    optional: null means unknown, whatever the contract says of missing values; so it is with a monitored feature.
    """
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    absent = np.asarray(values.is_null()) if values.null_count else None
    numbers = _codes(feature, values) if feature.is_category else _floats(values)
    right = _right(feature, numbers, absent, optional or feature.missing, types.is_integer(values.type))
    if right is None:
        return numbers, {}
    numbers = numbers.copy()  # it may be the column's own memory
    faults: Faults = {}
    kinds: dict[str, Fault] = {}  # one fault of a kind stands for all of them, and holds no frame
    for row in np.flatnonzero(~right).tolist():
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


def _right(
    feature: Feature, numbers: np.ndarray, absent: np.ndarray | None, may_be_absent: bool, is_whole: bool
) -> np.ndarray | None:
    """Return which of (n,) are plainly right, None where all are."""
    low, high = (0, len(feature.values) - 1) if feature.is_category else (feature.min, feature.max)
    whole = is_whole or feature.type != "integer"
    given = numbers if absent is None else numbers[~absent]
    # A NaN among the given ones fails both comparisons.
    if (absent is None or may_be_absent) and (
        not len(given) or (given.min() >= low and given.max() <= high and (whole or _all_whole(given)))
    ):
        return None
    right = (numbers >= low) & (numbers <= high)
    if not whole:
        right &= numbers == np.trunc(numbers)
    return right if absent is None else np.where(absent, may_be_absent, right)


def _all_whole(numbers: np.ndarray) -> bool:
    return bool(np.array_equal(numbers, np.trunc(numbers)))
