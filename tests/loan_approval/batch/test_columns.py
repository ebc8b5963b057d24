"""Which columns a batch can use, and that Arrow's columns are judged as the contract judges each value."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from loan_approval.batch.columns import check_columns, check_keep, encode_arrow
from loan_approval.batch.files import InputFile
from loan_approval.errors import DataError
from serve.contract.columns import encode_column
from serve.contract.contract import Contract
from serve.contract.feature import Feature

PARQUET = InputFile("batch.parquet", "batch.parquet", 0, "")
RIGHT = [("home", pa.string()), ("amount", pa.float64()), ("children", pa.int8()), ("region", pa.large_string())]
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


@pytest.fixture
def contract(homes_contract: Contract) -> Contract:
    document = homes_contract.to_dict()
    refused = {"name": "race", "type": "category", "values": ["a"], "example": "a", "use": "refuse"}
    return Contract.from_dict(document | {"feature": [*document["feature"], refused]})


def changed(**kinds: pa.DataType | None) -> list[tuple[str, pa.DataType]]:
    """The right columns with some of them changed, None taking one away."""
    return [(name, kind) for name, kind in (dict(RIGHT) | kinds).items() if kind is not None]


@pytest.mark.parametrize(
    "columns",
    [
        RIGHT,
        RIGHT[:3],
        changed(home=None, children=None),
        changed(granted=pa.string()),
        changed(home=pa.null(), children=pa.null()),
        changed(home=pa.dictionary(pa.int8(), pa.string()), amount=pa.float16(), children=pa.uint64()),
    ],
    ids=["all", "without the monitored one", "without what may be missing", "with the target", "nulls", "other widths"],
)
def test_columns_that_can_hold_right_values_are_taken(columns, contract):
    check_columns(PARQUET, columns, contract, [], False)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (changed(amount=None), "'amount' is missing, expected a number from 0 to 100"),
        (changed(amount=pa.string()), "'amount' is string, expected integers or floating-point"),
        (changed(amount=pa.bool_()), "'amount' is bool"),
        (changed(amount=pa.null()), "'amount' is null"),
        (changed(amount=pa.decimal128(9, 2)), "'amount' is decimal128"),
        (changed(children=pa.timestamp("s")), "'children' is timestamp"),
        (changed(home=pa.int64()), "'home' is int64, expected text: one of own, rent, other"),
        (changed(region=pa.binary()), "'region' is binary"),
        (changed(home=pa.list_(pa.string())), "'home' is list"),
        (changed(shoe=pa.int64()), "'shoe' is not in the contract, expected --keep shoe or --ignore-unknown"),
        (changed(race=pa.string()), "'race' is not accepted, the contract refuses it"),
        ([*RIGHT, RIGHT[0]], "'home' stands twice"),
        (changed(amount=None, home=pa.int64()), "'amount' is missing.*; column 'home' is int64"),
    ],
)
def test_columns_that_cannot_be_used_are_all_named(columns, message, contract):
    with pytest.raises(DataError, match=message):
        check_columns(PARQUET, columns, contract, [], False)


def test_what_the_contract_has_not_is_passed_over_only_when_asked(contract):
    columns = changed(shoe=pa.int64(), id=pa.string())
    check_columns(PARQUET, columns, contract, ["id"], True)
    check_columns(PARQUET, columns, contract, ["id", "shoe"], False)
    with pytest.raises(DataError, match="race"):
        check_columns(PARQUET, changed(race=pa.string()), contract, [], True)


@pytest.mark.parametrize("name", ["home", "region", "row", "race"])
def test_an_applicants_values_and_the_outputs_own_names_are_not_kept(name, contract):
    with pytest.raises(DataError, match=f"--keep {name}: "):
        check_keep([name], contract)


def test_a_column_is_kept_once(contract):
    with pytest.raises(DataError, match="--keep id: stands twice"):
        check_keep(["id", "shoe", "id"], contract)


def test_a_column_to_keep_that_is_not_there_is_named(contract):
    with pytest.raises(DataError, match="'id' is missing, which --keep asks for"):
        check_columns(PARQUET, RIGHT, contract, ["id"], False)


def check_alike(feature: Feature, column: pa.Array) -> None:
    expected, faults = encode_column(feature, column.to_pylist())
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
    assert encode_arrow(replace(CATEGORY, use="monitor"), pa.array(["own", None]))[1] == {}
    assert list(encode_arrow(replace(CATEGORY, use="monitor"), pa.array(["own", None, "x"]))[1]) == [2]


def test_the_column_itself_is_left_as_it_was():
    column = pa.array([1.0, 1e9, 2.0])
    encode_arrow(NUMBER, column)
    assert column.to_pylist() == [1.0, 1e9, 2.0]


def test_a_batch_may_hold_the_group_key_which_is_passed_over_or_kept(contract):
    grouped = replace(contract, split_by="customer")
    check_columns(PARQUET, [*RIGHT, ("customer", pa.int64())], grouped, [], ignore=False)
    check_columns(PARQUET, RIGHT, grouped, [], ignore=False)
    check_keep(["customer"], grouped)
    with pytest.raises(DataError, match="column 'customer' is not in the contract"):
        check_columns(PARQUET, [*RIGHT, ("customer", pa.int64())], contract, [], ignore=False)
