"""Checks a table's columns by name and Arrow's type, and judges and encodes a feature's column.

The result is that of `Feature.encode` on each value: vectorised comparisons accept the values that are certainly valid,
and `Feature.encode` judges each of the others.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from loan_approval.batch.files import InputFile
from loan_approval.errors import DataError
from serve.contract.columns import encode_column, encode_monitored
from serve.contract.contract import Contract
from serve.contract.fault import Fault
from serve.contract.feature import Feature

Faults = dict[int, Fault]  # by row
WRITTEN = (
    "file",
    "row",
    "probability",
    "code",
    "label",
    "band",
    "reasons",
    "model_sha256",
    "field",
    "kind",
    "expected",
)
MOST_NAMED = 20


def check_keep(keep: Sequence[str], contract: Contract) -> None:
    """Raise DataError for a column that can't be passed through: the output has no applicant's values."""
    known = {feature.name for feature in contract.features}
    for name in keep:
        if keep.count(name) > 1:
            raise DataError(f"--keep {name}: stands twice")
        if name in known:
            raise DataError(f"--keep {name}: a feature of the contract, whose values the output does not repeat")
        if name in WRITTEN:
            raise DataError(f"--keep {name}: the output has a column of that name")
        if name in contract.refusals:
            raise DataError(f"--keep {name}: {contract.refusals[name]}")


def check_columns(
    file: InputFile, columns: Sequence[tuple[str, pa.DataType]], contract: Contract, keep: Sequence[str], ignore: bool
) -> None:
    """Raise DataError with every column that is missing, of a wrong type, duplicated or unknown.

    ignore: accept a column that is neither in the contract nor kept, unless the contract refuses it.
    """
    problems = [*_by_name(Counter(name for name, _ in columns), contract, keep, ignore)]
    features = {feature.name: feature for feature in contract.features}
    for name, kind in () if file.is_csv else columns:
        if name in features and not suits(features[name], kind):
            expected = "integers or floating-point numbers"
            if features[name].is_text:
                expected = "text" if features[name].is_category else "text or dates"
            problems.append(f"column {name!r} is {kind}, expected {expected}: {features[name].expected}")
    if problems:
        more = [f"and {len(problems) - MOST_NAMED} more"] if len(problems) > MOST_NAMED else []
        raise DataError(f"{file.address}: " + "; ".join(problems[:MOST_NAMED] + more))


def _by_name(names: Counter, contract: Contract, keep: Sequence[str], ignore: bool) -> Iterator[str]:
    known = {
        contract.target.name,
        *([contract.group_key] if contract.group_key else []),
        *contract.source.get("left_out", ()),
        *(feature.name for feature in contract.features),
    }
    for feature in contract.scored:
        if feature.name not in names and not feature.missing:
            yield f"column {feature.name!r} is missing, expected {feature.expected}"
    yield from (f"column {name!r} is missing, which --keep asks for" for name in keep if name not in names)
    for name, times in names.items():
        if name in contract.refusals:
            yield f"column {name!r} is {contract.refusals[name]}"
        elif name not in known and name not in keep and not ignore:
            yield f"column {name!r} is not in the contract, expected --keep {name} or --ignore-unknown"
        elif times > 1 and (name in known or name in keep):
            yield f"column {name!r} stands twice"


def suits(feature: Feature, kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold valid values."""
    kind = _value_type(kind)
    if types.is_null(kind):
        return feature.missing or not feature.scored
    if not feature.is_text:
        return types.is_integer(kind) or types.is_floating(kind)
    if feature.is_category and types.is_boolean(kind):
        return {"true", "false"} <= {name.casefold() for name in feature.values}
    if types.is_integer(kind) or (feature.is_category and types.is_floating(kind)):
        return feature.takes_number or any(name.lstrip("-").isdigit() for name in feature.values)
    return is_text(kind) or (feature.type == "date" and _is_day(kind))


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds texts."""
    kind = _value_type(kind)
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_day(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds dates, or times that have no zone, whose day is certain."""
    return types.is_date(kind) or (types.is_timestamp(kind) and kind.tz is None)


def encode_arrow(feature: Feature, values: pa.Array) -> tuple[np.ndarray, Faults]:
    """Return (n,) float64, NaN where missing or at fault, and the fault of each row that has one, in order of rows."""
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if feature.type == "date" and not types.is_null(values.type):
        return (encode_column if feature.scored else encode_monitored)(feature, read_dates(values))
    column = values
    if feature.is_category:  # the index of each text among the feature's values, null for null and for any other text
        column = pc.index_in(values.cast(pa.large_string()), value_set=pa.array(feature.values, pa.large_string()))
    # Beyond 2**53 an integer may round here, but never into a contract's range, whose ends are whole to float64.
    numbers = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    valid = _valid(feature, numbers, types.is_integer(values.type))
    if values.null_count and (feature.missing or not feature.scored):
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


def read_dates(values: pa.Array) -> list[object]:
    """Return the values of a column, days as YYYY-MM-DD."""
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if _is_day(values.type):
        values = values.cast(pa.date32(), safe=False).cast(pa.string())
    return values.to_pylist()


def _valid(feature: Feature, numbers: np.ndarray, is_whole: bool) -> np.ndarray:
    """Return which of (n,) are certainly valid; a missing value is not."""
    low, high = (0, len(feature.values) - 1) if feature.is_category else (feature.min, feature.max)
    valid = (numbers >= low) & (numbers <= high)
    if feature.type == "integer" and not is_whole:
        valid &= numbers == np.trunc(numbers)
    return valid
