"""Checks a table's columns: by name as the server checks a header, and by Arrow's type."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyarrow import types

from loan_approval.errors import DataError
from serve.contract.contract import Contract
from serve.contract.feature import Feature

WRITTEN = ("file", "row", "probability", "code", "label", "band", "model_sha256", "field", "kind", "expected")
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
    where: str, columns: Sequence[tuple[str, pa.DataType]], contract: Contract, keep: Sequence[str], ignore: bool
) -> None:
    """Raise DataError with every column that is missing, of a wrong type, duplicated or unknown.

    ignore: accept a column that is neither in the contract nor kept, unless the contract refuses it.
    """
    names = Counter(name for name, _ in columns)
    problems = [*_by_name(names, contract, keep, ignore)]
    features = {feature.name: feature for feature in contract.features}
    is_csv = where.endswith(".csv")
    for name, kind in columns:
        feature = features.get(name)
        if feature and not is_csv and not suits(feature, kind):
            expected = "text" if feature.is_category else "integers or floating-point numbers"
            problems.append(f"column {name!r} is {kind}, expected {expected}: {feature.expected}")
    if problems:
        more = [f"and {len(problems) - MOST_NAMED} more"] if len(problems) > MOST_NAMED else []
        raise DataError(f"{where}: " + "; ".join(problems[:MOST_NAMED] + more))


def _by_name(names: Counter, contract: Contract, keep: Sequence[str], ignore: bool) -> Iterator[str]:
    known = {feature.name for feature in contract.features}
    for feature in contract.scored:
        if feature.name not in names:
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
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_null(kind):
        return feature.missing or not feature.scored
    if feature.is_category:
        return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return types.is_integer(kind) or types.is_floating(kind)
