"""Which columns a batch can use, and which stop it before anything is written."""

import pyarrow as pa
import pytest

from loan_approval.batch.columns import check_columns, check_keep
from loan_approval.errors import DataError
from serve.contract.contract import Contract

RIGHT = [("home", pa.string()), ("amount", pa.float64()), ("children", pa.int8()), ("region", pa.large_string())]


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
        changed(home=pa.null(), children=pa.null()),
        changed(home=pa.dictionary(pa.int8(), pa.string()), amount=pa.float16(), children=pa.uint64()),
    ],
    ids=["all", "without the monitored one", "nulls", "other widths"],
)
def test_columns_that_can_hold_right_values_are_taken(columns, contract):
    check_columns("batch.parquet", columns, contract, [], False)


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
        check_columns("batch.parquet", columns, contract, [], False)


def test_what_the_contract_has_not_is_passed_over_only_when_asked(contract):
    columns = changed(shoe=pa.int64(), id=pa.string())
    check_columns("batch.parquet", columns, contract, ["id"], True)
    check_columns("batch.parquet", columns, contract, ["id", "shoe"], False)
    with pytest.raises(DataError, match="race"):
        check_columns("batch.parquet", changed(race=pa.string()), contract, [], True)


@pytest.mark.parametrize("name", ["home", "region", "row", "race"])
def test_an_applicants_values_and_the_outputs_own_names_are_not_kept(name, contract):
    with pytest.raises(DataError, match=f"--keep {name}: "):
        check_keep([name], contract)


def test_a_column_is_kept_once(contract):
    with pytest.raises(DataError, match="--keep id: stands twice"):
        check_keep(["id", "shoe", "id"], contract)


def test_a_column_to_keep_that_is_not_there_is_named(contract):
    with pytest.raises(DataError, match="'id' is missing, which --keep asks for"):
        check_columns("batch.parquet", RIGHT, contract, ["id"], False)
