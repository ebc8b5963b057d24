"""A batch judges a table as the server judges the same one in a request."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from loan_approval.batch import csv_blocks
from loan_approval.batch import tables as batch_tables
from loan_approval.batch.columns import suits
from loan_approval.batch.files import absolute, list_inputs
from loan_approval.batch.shards import plan_shards
from loan_approval.errors import DataError
from serve.contract import tables
from serve.contract.columns import encode_column
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.contract.tables import encode_columns, encode_csv
from serve.errors import ApplicationError
from tests.batches import ODD_CELLS, judge, make_columns, write_csv, write_parquet

DAY = {"type": "date", "range": ["2000-01-01", "2026-12-31"], "example": "2020-02-29", "missing": True}
DATES = [
    {**DAY, "name": "asked", "use": "monitor"},
    {**DAY, "name": "opened"},
    {**DAY, "name": "due", "as": "month"},
    {**DAY, "name": "hired", "since": "asked", "range": None, "min": -9_000, "max": 9_000, "example": 5},
]
CASES = json.loads((Path(__file__).parents[2] / "cases.json").read_text(encoding="utf-8"))["cases"]
IN_CELLS = [case for case in CASES if case["csv"] != "not expressible"]


def as_the_server(encode: Any, contract: Contract, table: Any) -> tuple[np.ndarray | None, dict[tuple[int, str], str]]:
    """Return what the batch route makes of a table: its rows, or what is wrong by row and field."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MOST_FIELDS_NAMED", 10**9)
        try:
            return encode(contract, table), {}
        except ApplicationError as err:
            places = {tuple(place.partition(".")[::2]): text for place, text in err.fields.items()}
    return None, {(int(row), name): text for (row, name), text in places.items()}


def check_alike(path: Path, contract: Contract, encode: Any, table: Any) -> None:
    X, faults = judge(path, contract)
    expected, wrong = as_the_server(encode, contract, table)
    in_rows = {place: text for place, text in faults.items() if place[1]}
    assert in_rows == {place: text for place, text in wrong.items() if place[1]}
    # Of a row with other than the header's cells the server gives their number.
    assert {row for row, name in faults if not name} == {row for row, name in wrong if not name}
    if expected is not None:
        np.testing.assert_array_equal(X, expected)


@pytest.fixture(params=["loans", "homes", "dates"])
def contract(request, loans_contract, homes_contract) -> Contract:
    dates = Contract.from_dict(homes_contract.to_dict() | {"feature": DATES})
    return {"loans": loans_contract, "homes": homes_contract, "dates": dates}[request.param]


@pytest.mark.parametrize("case", IN_CELLS, ids=lambda case: case["name"])
def test_a_csv_is_judged_by_the_cases_that_the_server_is_judged_by(tmp_path, loans_contract, case):
    columns = {
        f.name: [loans_contract.example()[f.name], case["application"].get(f.name)] for f in loans_contract.scored
    }
    cells = {name: [_cell(value) for value in values] for name, values in columns.items()}
    path = write_csv(tmp_path / "batch.csv", cells)
    faults = judge(path, loans_contract)[1]
    if case["csv"] == "same":
        assert {name for _, name in faults} == set(case["fields"])
        assert all(part in faults[1, name] for name, part in case["fields"].items())
    check_alike(path, loans_contract, encode_csv, path.read_bytes())


def _cell(value: object) -> str:
    text = "" if value is None else json.dumps(value) if not isinstance(value, str) else value
    return f'"{text}"' if "," in text else text


def as_columns(case: dict[str, Any], contract: Contract) -> dict[str, pa.Array] | None:
    """Return the case as a table of one row, None where no column holds what it says."""
    application = case["application"]
    if not isinstance(application, dict):
        return None
    absent = {} if set(application) - set(_names(contract)) else dict.fromkeys(_names(contract))
    try:
        return {name: pa.array([value]) for name, value in (absent | application).items()}
    except (OverflowError, pa.ArrowException):
        return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_parquet_is_judged_by_the_cases_that_the_server_is_judged_by(tmp_path, loans_contract, case):
    columns = as_columns(case, loans_contract)
    if columns is None:
        return
    path = write_parquet(tmp_path / "batch.parquet", columns)
    columns.pop(loans_contract.target.name, None)  # a file of past applications may hold it
    features = {feature.name: feature for feature in loans_contract.features}
    kinds = [name in features and suits(features[name], column.type) for name, column in columns.items()]
    if not all(kinds) or len(columns) < len(features):  # whatever is in its rows, nothing in this column is right
        assert case["fields"]
        with pytest.raises(DataError, match="|".join(repr(name) for name in case["fields"])):
            judge(path, loans_contract)
        return
    faults = {name: text for (_, name), text in judge(path, loans_contract)[1].items()}
    assert set(faults) == set(case["fields"]) - {loans_contract.target.name}
    assert all(case["fields"][name] in text for name, text in faults.items())


def test_parquet_may_hold_codes_as_numbers_with_a_point_as_pandas_writes_them_beside_missing_ones():
    codes = Feature("naics", "category", values=("101", "102"), missing=True)
    assert suits(codes, pa.float64())
    assert encode_column(codes, [101.0, None, 102.0])[0].tolist()[::2] == [0, 1]
    assert not suits(Feature("home", "category", values=("own", "rent")), pa.float64())


def _names(contract: Contract) -> list[str]:
    return [feature.name for feature in contract.features]


@pytest.mark.parametrize("odd", [0, 0.002, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_a_random_csv_is_judged_as_the_server_judges_it(tmp_path, contract, seed, odd, monkeypatch):
    monkeypatch.setattr(csv_blocks, "BLOCK", 700)
    rng = np.random.default_rng(seed)
    columns = make_columns(contract, 120, seed)
    for values in columns.values():
        for row in np.flatnonzero(rng.random(len(values)) < odd):
            values[row] = rng.choice(ODD_CELLS)
            values[row] = f'"{values[row]}"' if seed % 2 else values[row]
    path = write_csv(tmp_path / "batch.csv", columns, "\r\n" if seed > 1 else "\n")
    check_alike(path, contract, encode_csv, path.read_bytes())


@pytest.mark.parametrize("seed", range(3))
def test_rows_with_other_than_the_headers_cells_are_rejected_alone(tmp_path, homes_contract, seed, monkeypatch):
    monkeypatch.setattr(csv_blocks, "BLOCK", 60)
    rng = np.random.default_rng(seed)
    lines = [
        rng.choice(["own,5,north,1", "own,5,north", "", "own,5,north,1,", '"own",5,,'], p=[0.6, *[0.1] * 4])
        for _ in range(80)
    ]
    path = tmp_path / "batch.csv"
    path.write_text("\n".join(["home,amount,region,children", *lines, "rent,101,x,3", ""]))
    check_alike(path, homes_contract, encode_csv, path.read_bytes())


@pytest.mark.parametrize("seed", range(4))
def test_random_parquet_is_judged_as_the_server_judges_the_columns(tmp_path, contract, seed, monkeypatch):
    monkeypatch.setattr(batch_tables, "BATCH", 17)
    rng = np.random.default_rng(seed)
    columns = make_columns(contract, 200, seed, absent=0.2)
    for feature in contract.features:
        for row in np.flatnonzero(rng.random(200) < 0.05):
            columns[feature.name][row] = "Own" if feature.is_text else float(rng.choice([-1, 1e9, 0.5]))
    path = write_parquet(tmp_path / "batch.parquet", columns, row_group=60)
    columns = {name: pa.array(values).to_pylist() for name, values in columns.items()}  # 5 as 5.0 beside 0.5
    check_alike(path, contract, encode_columns, columns)


def test_a_block_that_is_not_utf8_is_refused_with_its_lines(tmp_path, homes_contract):
    path = tmp_path / "batch.csv"
    path.write_bytes(b"home,amount,children,region\nown,1,1,north\nown,1,1,no\xffrth\n")
    with pytest.raises(DataError, match="lines 2 to 3: not UTF-8"):
        judge(path, homes_contract)


def test_so_is_one_whose_fault_is_in_a_column_that_nobody_asked_for(tmp_path, homes_contract):
    path = tmp_path / "batch.csv"
    path.write_bytes(b"home,amount,children,note\nown,1,1,\xff\n")
    (shard,) = plan_shards(list_inputs(absolute(str(path))), homes_contract, ignore_unknown=True)
    with pytest.raises(DataError, match="lines 2 to 2: not UTF-8"):
        list(batch_tables.read_rows(shard, homes_contract, []))


def test_kept_columns_come_through_as_they_are(tmp_path, homes_contract):
    columns = make_columns(homes_contract, 5) | {"id": ["a", "", " b", '"c,d"', "é"]}
    for text in ({}, {"home": ["own", "Own ", '"own"', "", "rent"]}):
        path = write_csv(tmp_path / "batch.csv", columns | text)
        (shard,) = plan_shards(list_inputs(absolute(str(path))), homes_contract, ["id"])
        (rows,) = batch_tables.read_rows(shard, homes_contract, ["id"])
        assert rows.kept[0].to_pylist() == ["a", None, " b", "c,d", "é"]


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()], ids=str)
def test_a_kept_column_of_views_comes_through_as_what_rows_can_be_taken_of(tmp_path, homes_contract, kind):
    ids = ["a", None, "longer than a view holds by itself"]
    columns = make_columns(homes_contract, 3) | {"id": pa.array(ids).cast(kind)}
    path = write_parquet(tmp_path / "batch.parquet", columns)
    (shard,) = plan_shards(list_inputs(absolute(str(path))), homes_contract, ["id"])
    (rows,) = batch_tables.read_rows(shard, homes_contract, ["id"])
    taken = rows.kept[0].take(pa.array([2, 1])).cast(pa.large_string())
    assert taken.to_pylist() == [ids[2], ids[1]]


def test_a_csv_whose_cells_are_quoted_is_read_by_column(tmp_path, homes_contract, monkeypatch):
    notes = ["plain", "a,b", 'a "b"', "two\nlines", "", '"']
    columns = make_columns(homes_contract, len(notes))
    quoted = {name: [f'"{"" if v is None else v}"' for v in values] for name, values in columns.items()}
    quoted["note"] = ['"' + note.replace('"', '""') + '"' for note in notes]
    path = write_csv(tmp_path / "batch.csv", quoted, "\r\n")
    expected = judge(write_csv(tmp_path / "plain.csv", columns), homes_contract)
    monkeypatch.setattr(batch_tables, "_read_by_cell", None)
    (shard,) = plan_shards(list_inputs(absolute(str(path))), homes_contract, ["note"])
    (rows,) = batch_tables.read_rows(shard, homes_contract, ["note"])
    assert rows.kept[0].to_pylist() == [note or None for note in notes]
    np.testing.assert_array_equal(rows.X, expected[0])
    assert not rows.faults
    assert not expected[1]


@pytest.mark.parametrize(
    ("last", "message"),
    [('own,1,1,"no"rth', "batch.csv: not a CSV at line 203"), ("own,1,1,\udcff", "lines 1[0-9]+ to 203: not UTF-8")],
)
def test_a_fault_of_a_later_block_is_named_by_its_line_in_the_file(
    tmp_path, monkeypatch, homes_contract, last, message
):
    monkeypatch.setattr(csv_blocks, "BLOCK", 500)
    path, header = tmp_path / "batch.csv", "home,amount,children,region"
    text = f'{header}\nown,1,1,"\nnorth"\n' + "own,1,1,north\n" * 199 + last + "\n"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message):
        judge(path, homes_contract)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.date32(), pa.timestamp("us"), pa.dictionary(pa.int8(), pa.string())]
)
def test_days_are_counted_between_columns_of_any_type_that_holds_dates(tmp_path, homes_contract, kind):
    contract = Contract.from_dict(homes_contract.to_dict() | {"feature": DATES})
    days = {"asked": ["2020-03-01", "2020-03-01", None], "hired": ["2020-02-01", None, "2020-02-01"]}
    columns = {name: pa.array(values).cast(pa.date32()) for name, values in days.items()}
    if not pa.types.is_temporal(kind):
        columns = {name: values.cast(pa.string()) for name, values in columns.items()}
    dictionary = pa.types.is_dictionary(kind)
    columns = {name: each.dictionary_encode() if dictionary else each.cast(kind) for name, each in columns.items()}
    X, faults = judge(write_parquet(tmp_path / "batch.parquet", columns), contract)
    np.testing.assert_array_equal(X[:, 2], [-29, np.nan, np.nan])
    expected = "a date written YYYY-MM-DD, or the days from asked to it as a whole number from -9000 to 9000 or null"
    assert faults == {(2, "hired"): f"no date to count from, expected {expected}"}
