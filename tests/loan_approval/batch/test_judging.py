"""A column from Arrow is judged as each of its values is by the contract."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from loan_approval.batch.judging import encode_arrow
from serve.contract.feature import Feature

NUMBER = Feature("amount", "number", min=-5, max=100)
INTEGER = Feature("years", "integer", min=0, max=2**53 - 1)
CATEGORY = Feature("home", "category", values=("own", "rent"))
ODD_NUMBERS = [-5, 100, 100.5, -5.000001, 0.5, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1e300, None, 7]
ODD_WHOLE = [0, -1, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), None, 100, 101, 5]
ODD_TEXTS = ["own", "rent", " own", "Own", "", "null", None, "ownrent", "é"]
COLUMNS = {
    "double": pa.array(ODD_NUMBERS, pa.float64()),
    "float": pa.array([*ODD_NUMBERS[:9], None, 7], pa.float32()),
    "int64": pa.array(ODD_WHOLE, pa.int64()),
    "uint64": pa.array([0, 2**64 - 1, 2**53, None, 100], pa.uint64()),
    "int8": pa.array([-128, 127, None, 100, -5], pa.int8()),
    "null": pa.nulls(4),
    "dictionary": pa.array(ODD_WHOLE, pa.int64()).dictionary_encode(),
}
TEXTS = {
    "string": pa.array(ODD_TEXTS, pa.string()),
    "large_string": pa.array(ODD_TEXTS, pa.large_string()),
    "string_view": pa.array(ODD_TEXTS, pa.string_view()),
    "dictionary": pa.array(ODD_TEXTS).dictionary_encode(),
    "null": pa.nulls(4),
}


def check_alike(feature: Feature, column: pa.Array) -> None:
    expected, faults = feature.encode_column(column.to_pylist())
    numbers, found = encode_arrow(feature, column)
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(np.signbit(numbers), np.signbit(expected))
    assert {row: str(fault) for row, fault in found.items()} == {row: str(fault) for row, fault in faults.items()}
    assert list(found) == sorted(found)


@pytest.mark.parametrize("missing", [True, False], ids=["may be missing", "must be given"])
@pytest.mark.parametrize("feature", [NUMBER, INTEGER], ids=lambda feature: feature.type)
@pytest.mark.parametrize("kind", COLUMNS)
def test_numbers_are_judged_as_the_contract_judges_each(kind, feature, missing):
    column = COLUMNS[kind]
    for part in (column, *(column[i : i + 1] for i in range(len(column))), column[2:2]):
        check_alike(replace(feature, missing=missing), part)


@pytest.mark.parametrize("missing", [True, False], ids=["may be missing", "must be given"])
@pytest.mark.parametrize("kind", TEXTS)
def test_categories_are_judged_as_the_contract_judges_each(kind, missing):
    column = TEXTS[kind]
    for part in (column, *(column[i : i + 1] for i in range(len(column))), column[2:2]):
        check_alike(replace(CATEGORY, missing=missing), part)


@pytest.mark.parametrize("seed", range(20))
def test_random_columns_are_judged_as_the_contract_judges_each(seed):
    rng = np.random.default_rng(seed)
    odd = rng.choice([0, 0.01, 0.5])
    values = np.where(rng.random(300) < odd, rng.choice(np.array(ODD_NUMBERS, float), 300), rng.integers(0, 9, 300))
    column = pa.array(values, mask=rng.random(300) < rng.choice([0, 0.2]))
    for feature in (NUMBER, INTEGER):
        for missing in (True, False):
            check_alike(replace(feature, missing=missing), column)


def test_a_null_is_no_fault_where_the_value_is_optional():
    assert encode_arrow(CATEGORY, pa.array(["own", None]), optional=True)[1] == {}
    assert list(encode_arrow(CATEGORY, pa.array(["own", None, "x"]), optional=True)[1]) == [2]


def test_the_column_itself_is_left_as_it_was():
    column = pa.array([1.0, 1e9, 2.0])
    encode_arrow(NUMBER, column)
    assert column.to_pylist() == [1.0, 1e9, 2.0]
