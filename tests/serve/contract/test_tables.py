import copy
import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.contract.contract import Contract
from serve.contract.tables import encode_columns, encode_csv, encode_records
from serve.errors import ApplicationError

MIXED = Contract.from_dict(
    {
        **{"format": 1, "model_name": "mixed", "experiment": "mixed", "split_salt": "mixed-1"},
        "target": {"name": "granted", "meaning": "repaid", "positive": 1, "labels": {"0": "Denied", "1": "Granted"}},
        "feature": [
            {"name": "region", "type": "category", "values": ["north", "sou,th"], "use": "monitor", "example": "north"},
            {"name": "amount", "type": "number", "min": -5, "max": 100, "example": 10},
            {"name": "years", "type": "integer", "min": 0, "max": 30, "missing": True, "example": 3},
            {"name": "home", "type": "category", "values": ["own", 'rent "it"'], "missing": True, "example": "own"},
            {"name": "note", "type": "number", "min": 0, "max": 1, "use": "monitor", "example": 1},
        ],
    }
)
DATE = {"type": "date", "missing": True, "range": ["2015-01-01", "2026-12-31"], "example": "2020-02-29"}
DATES = [
    {**DATE, "name": "asked", "use": "monitor"},
    {**DATE, "name": "hired", "since": "asked", "range": None, "min": -20_000, "max": 0, "example": -9},
    {**DATE, "name": "due", "as": "month"},
]
DATED = Contract.from_dict(MIXED.to_dict() | {"feature": [*MIXED.to_dict()["feature"], *DATES]})
NAMES = [feature.name for feature in DATED.features]
VALUES = (
    st.sampled_from([None, "own", 'rent "it"', "north", "sou,th", "", "x\ny", True, [], {}, 10**400, -0.0, 0, 1, 0.5])
    | st.integers(-1, 31)
    | st.floats(-6, 101)
    | st.sampled_from(
        ["2020-02-29", "2021-02-29", "2014-12-31", " 2020-02-29", "29/02/2020", "1960-05-04", -9, -20_001]
    )
)
GOOD = st.fixed_dictionaries(
    {"amount": st.floats(-5, 100) | st.integers(-5, 100)},
    optional={
        "years": st.none() | st.integers(0, 30) | st.integers(0, 30).map(float),
        "home": st.sampled_from([None, "own", 'rent "it"']),
        "region": st.sampled_from([None, "north", "sou,th"]),
        "note": st.none() | st.floats(0, 1),
        "hired": st.none() | st.integers(-20_000, 0),
        "due": st.none() | st.integers(1, 12) | st.dates(date(2015, 1, 1), date(2026, 12, 31)).map(str),
    },
)
GOOD |= st.fixed_dictionaries(
    {"amount": st.just(1), "asked": st.dates(date(2015, 1, 1), date(2026, 12, 31)).map(str)},
    optional={"hired": st.dates(date(1975, 1, 1), date(2015, 1, 1)).map(str)},
)
ANY = st.dictionaries(st.sampled_from([*NAMES, "shoe_size"]), VALUES) | st.sampled_from([None, 1, "x", []])


def row_by_row(applications: list[Any], contract: Contract = DATED) -> tuple[bytes, dict[str, str]]:
    """Return the bytes of X and each problem, as `Contract.encode` judges one application after the other."""
    rows, problems = [], {}
    for row, application in enumerate(applications):
        try:
            rows.append(contract.encode(application))
        except ApplicationError as err:
            problems |= {f"{row}.{name}" if name else str(row): text for name, text in err.fields.items()}
    return (b"" if problems else np.concatenate(rows).tobytes()), problems


def as_table(encode: Callable[..., np.ndarray], table: object) -> tuple[bytes, dict[str, str]]:
    before = copy.deepcopy(table)
    try:
        X = encode(DATED, table)
    except ApplicationError as err:
        return b"", err.fields
    finally:
        assert repr(table) == repr(before)
    assert (X.dtype, X.flags.c_contiguous, X.ndim) == (np.float64, True, 2)
    return X.tobytes(), {}


def write_csv(rows: list[Mapping[str, Any]], names: list[str], **options: Any) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text, **options)
    lines.writerow(names)
    lines.writerows([["" if row.get(name) is None else row[name] for name in names] for row in rows])
    return text.getvalue().encode()


def problems_of(encode: Callable[..., np.ndarray], table: object) -> dict[str, str]:
    with pytest.raises(ApplicationError) as caught:
        encode(MIXED, table)
    return caught.value.fields


@given(st.lists(GOOD, min_size=1, max_size=8))
def test_good_applications_are_encoded_alike_row_by_row_and_as_any_table(applications):
    X, problems = row_by_row(applications)
    assert problems == {}
    assert as_table(encode_records, applications) == (X, {})
    whole = [{name: application.get(name) for name in NAMES} for application in applications]
    assert as_table(encode_records, whole) == (X, {})
    assert as_table(encode_columns, {name: [row[name] for row in whole] for name in reversed(NAMES)}) == (X, {})
    for end in ("\n", "\r\n"):
        assert as_table(encode_csv, write_csv(whole, NAMES, lineterminator=end)) == (X, {})
        assert as_table(encode_csv, write_csv(whole, NAMES[::-1], lineterminator=end, quoting=csv.QUOTE_ALL)) == (X, {})


@given(st.lists(ANY | GOOD, min_size=1, max_size=6))
def test_any_records_are_judged_alike_row_by_row_and_as_a_table(applications):
    assert as_table(encode_records, applications) == row_by_row(applications)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), min_size=1, max_size=6))
def test_any_columns_are_judged_alike_row_by_row_and_as_a_table(applications):
    columns = {name: [application[name] for application in applications] for name in NAMES}
    assert as_table(encode_columns, columns) == row_by_row(applications)


CELLS = st.sampled_from(["", " ", "own", 'rent "it"', "north", "sou,th", "null", "-0", "01", "nan", "1 2", "é\n"])
CELLS |= st.sampled_from(["2020-02-29", " 2020-02-29 ", "2021-02-29", "2014-12-31", "1960-05-04", "-9", "-9.5"])
CELLS |= st.integers(-6, 101).map(str) | st.floats(-6, 101).map(repr)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, CELLS)), min_size=1, max_size=6), st.booleans())
def test_any_cells_are_judged_alike_row_by_row_and_as_a_table(rows, quoted):
    body = write_csv(rows, NAMES, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    parsed = [{feature.name: feature.parse(row[feature.name]) for feature in DATED.features} for row in rows]
    assert as_table(encode_csv, body) == row_by_row(parsed)


@pytest.mark.parametrize("n", [1, 24, 25, 26, 50, 51, 400])
@pytest.mark.parametrize(
    "bad", [{"amount": 101}, {"amount": 101, "years": 31}, {"amount": 1, "a": 1, "b": 1}, 7], ids=str
)
def test_fifty_problems_are_named_in_order_of_rows_and_the_others_counted(n, bad):
    fields = problems_of(encode_records, [{"amount": 1}, *([bad] * n)])
    all_of_them = row_by_row([{"amount": 1}, *([bad] * n)], MIXED)[1]
    more = fields.pop("...", "and 0 more")
    assert list(fields.items()) == list(all_of_them.items())[:50]
    assert more == f"and {max(0, len(all_of_them) - 50)} more"


@pytest.mark.parametrize("table", [None, {}, "x", 1, {"amount": [1]}])
def test_records_must_be_a_list(table):
    assert problems_of(encode_records, table) == {"": "not a list, expected a list of applications"}


@pytest.mark.parametrize(
    ("encode", "table"),
    [(encode_records, []), (encode_columns, {"amount": [], "years": [], "home": []})]
    + [(encode_csv, body) for body in (b"amount,years,home", b"amount,years,home\r\n\r\n", b'"amount",years,home\n')],
)
def test_an_empty_batch_is_refused(encode, table):
    assert problems_of(encode, table) == {"": "no rows, expected at least one application"}


@pytest.mark.parametrize("table", [None, [], "x", 1])
def test_columns_must_be_an_object(table):
    assert problems_of(encode_columns, table) == {"": "not an object, expected a list of values for each feature"}


def test_what_is_wrong_with_columns_is_named_by_column_and_the_others_are_judged():
    columns = {"shoe_size": [1], "amount": [1, 101], "years": 3, "home": ["own"], "note": [2, 1]}
    expected = "region, amount, years, home, note"
    assert problems_of(encode_columns, columns) == {
        "years": "not a list, expected a list with a value for each row",
        "home": "1 values, expected 2 as in amount",
        "shoe_size": f"unknown column, expected {expected}",
        "1.amount": "out of range, expected a number from -5 to 100",
        "0.note": "out of range, expected a number from 0 to 1",
    }


@pytest.mark.parametrize(
    ("encode", "table", "place"),
    [
        (encode_records, [{"amount": 1, "home": "own"}, {"amount": 1, "home": "own", "race": None}], "1.race"),
        (encode_columns, {"amount": [1], "years": [1], "home": ["own"], "race": ["a"]}, "race"),
        (encode_csv, b"home,amount,years,race\nown,1,1,a\n", "race"),
    ],
)
def test_what_the_contract_refuses_is_refused_by_name_in_a_batch(encode, table, place):
    document = MIXED.to_dict()
    race = {"name": "race", "type": "category", "values": ["a"], "use": "refuse", "example": "a"}
    with pytest.raises(ApplicationError) as caught:
        encode(Contract.from_dict(document | {"feature": [race, *document["feature"]]}), table)
    assert caught.value.fields == {place: "not accepted, the contract refuses it"}


@pytest.mark.parametrize(
    ("encode", "table"),
    [(encode_columns, {"years": [1], "home": ["own"]}), (encode_csv, b"home,years\nown,1\n")],
)
def test_a_column_for_each_scored_feature_is_needed_that_may_not_be_missing(encode, table):
    expected = "missing column, expected a number from -5 to 100 in each row"
    assert problems_of(encode, table) == {"amount": expected}


@pytest.mark.parametrize(
    ("encode", "table"),
    [
        (encode_records, [{"amount": 1, "home": "own"}, {"amount": 2, "home": "own"}]),
        (encode_columns, {"amount": [1, 2], "home": ["own", "own"]}),
        (encode_csv, b"home,amount\nown,1\nown,2\n"),
        (encode_csv, b'home,amount\n"own",1\nown,2\n'),
    ],
)
def test_an_absent_column_of_what_may_be_missing_is_missing_in_each_row(encode, table):
    assert np.isnan(encode(MIXED, table)[:, [f.name for f in MIXED.scored].index("years")]).tolist() == [True, True]


def test_a_csv_of_past_applications_may_hold_their_target():
    row = b"own,1,1,"
    body = b"home,amount,years,%b\n%b0\n%bwhatever\n" % (MIXED.target.name.encode(), row, row)
    assert len(encode_csv(MIXED, body)) == 2


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte-order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\r\n\r\n\n"], ids=["no end", "an end", "empty lines"])
@pytest.mark.parametrize("own", [b"own", b" own ", b'"own"'])
def test_a_csv_is_read_however_it_is_written(mark, end, last, own):
    body = mark + end.join([b"home,amount,years", own + b", 1e1 ,3", b",-0.5,"]) + last
    np.testing.assert_array_equal(encode_csv(MIXED, body), [[10, 3, 0], [-0.5, np.nan, np.nan]])


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_with_too_many_or_too_few_cells_is_named_by_its_number(quote):
    body = f"amount,years,home\n{quote}1{quote},2,own\n1,2\n\n1,2,own,\n101,2,own\n".encode()
    assert problems_of(encode_csv, body) == {
        "1": "2 cells, expected 3",
        "2": "0 cells, expected 3",
        "3": "4 cells, expected 3",
        "4.amount": "out of range, expected a number from -5 to 100",
    }


def test_a_row_too_short_is_not_made_up_for_by_the_next_one_too_long():
    body = b"amount,years,home\n1,2\n1,2,own,\n"
    assert problems_of(encode_csv, body) == {"0": "2 cells, expected 3", "1": "4 cells, expected 3"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no header"),
        (b"\n1,2,own", "no header"),
        (b"amount;years;home\n1;2;own", "one column, expected commas"),
        (b"amount,years,home\n1,2,\xff", "not UTF-8"),
        ("amount,years,home\n1,2,own".encode("utf-16"), "not UTF-8"),
        (b'amount,years,home\n1,2,"own', "not a CSV at line 2"),
        (b'amount,years,home\n1,2,"own"x', "not a CSV at line 2"),
        (b'amount,years,home\n1,2,"' + b"x" * 200_000 + b'"', "not a CSV at line 2"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_is_no_csv_is_refused_as_a_whole(body, problem):
    fields = problems_of(encode_csv, body)
    assert list(fields) == [""]
    assert problem in fields[""]


def test_a_name_that_stands_twice_in_the_header_is_refused():
    body = b"amount,years,home,amount,shoe,shoe\n1,2,own,101,1,1\n"
    assert problems_of(encode_csv, body) == {
        "amount": "stands twice in the header",
        "shoe": "unknown column, expected region, amount, years, home, note",
    }


def test_names_in_a_header_are_taken_exactly():
    assert set(problems_of(encode_csv, b"Amount,years, home\n1,2,own\n")) == {"amount", "Amount", " home"}


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_no_problem_quotes_a_value(rows):
    record = {"amount": "SECRET", "years": ["SECRET"], "home": "SECRET", "region": "SECRET", "note": {"SECRET": 1}}
    cells = b"SECRET," * 4 + b"SECRET,SECRET\n" + b'"SECRET",' * 4 + b"1\n"
    for encode, table in [
        (encode_records, [record, "SECRET"] * rows),
        (encode_columns, {name: [value] * rows for name, value in record.items()}),
        (encode_columns, dict.fromkeys(NAMES, "SECRET")),
        (encode_csv, ",".join(NAMES).encode() + b"\n" + cells * rows),
        (encode_csv, ",".join(NAMES).encode() + b'\n"SECRET'),
    ]:
        assert "SECRET" not in json.dumps(problems_of(encode, table))


def test_a_long_unknown_name_is_cut():
    assert list(problems_of(encode_records, [{"amount": 1, "x" * 100_000: 1}])) == ["0." + "x" * 60]


@pytest.mark.parametrize(
    ("encode", "table"),
    [
        (encode_records, [{"amount": 101, "years": 1, "home": "own"}] * 20_000),
        (encode_records, [{"amount": 1, "shoe": 1}] * 20_000),
        (encode_records, [7] * 20_000),
        (encode_records, [{f"name {n}": 1 for n in range(20_000)}]),
        (encode_columns, {"amount": [101] * 20_000, "years": [1] * 20_000, "home": ["own"] * 20_000}),
        (encode_columns, {f"name {n}": [1] for n in range(20_000)}),
        (encode_csv, b"amount,years,home\n" + b"101,1,own\n" * 20_000),
        (encode_csv, b"amount,years,home\n" + b"1\n" * 20_000),
        (encode_csv, b'amount,years,"home"\n' + b"101,1,own\n" * 20_000),
    ],
)
def test_after_ten_thousand_problems_the_rest_of_a_batch_is_not_judged(encode, table):
    with pytest.raises(ApplicationError) as caught:
        encode(MIXED, table)
    assert sum(caught.value.faults.values()) == 10_000
    assert len(caught.value.fields) == 51
    assert caught.value.fields["..."] == "and at least 9950 more"


@pytest.mark.parametrize("rows", [4095, 4096, 4097, 9000])
def test_rows_are_encoded_alike_and_in_order_in_blocks_of_any_number(rows):
    numbers = [row % 30 for row in range(rows)]
    records = [{"amount": number, "years": number, "home": "own"} for number in numbers]
    columns = {"amount": numbers, "years": numbers, "home": ["own"] * rows}
    lines = [f"{number},{number},own" for number in numbers]
    for table in (
        encode_records(MIXED, records),
        encode_columns(MIXED, columns),
        encode_csv(MIXED, "\n".join(["amount,years,home", *lines]).encode()),
        encode_csv(MIXED, "\n".join(['"amount",years,home', *lines]).encode()),
    ):
        np.testing.assert_array_equal(table, [[number, number, 0] for number in numbers])


def test_monitored_values_are_unknown_in_the_blocks_that_lack_them():
    monitored: dict[str, np.ndarray] = {}
    record = {"amount": 1, "years": 1, "home": "own"}
    encode_records(MIXED, [record] * 5000 + [record | {"note": 0.5}], monitored)
    np.testing.assert_array_equal(monitored["note"], [np.nan] * 5000 + [0.5])


def test_a_problem_in_a_later_block_is_named_by_its_row():
    lines = ["1,1,own"] * 20_000 + ["101,1,own", "1"]
    expected = {"20000.amount": "out of range, expected a number from -5 to 100", "20001": "1 cell, expected 3"}
    for name in ("amount", '"amount"'):
        assert problems_of(encode_csv, "\n".join([f"{name},years,home", *lines]).encode()) == expected
    records = [{"amount": 1}] * 20_000 + [{"amount": 101}]
    assert problems_of(encode_records, records) == {"20000.amount": expected["20000.amount"]}


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_header_far_wider_than_the_contract_is_refused_without_its_rows(quote):
    names = ",".join(f"{quote}name {n}{quote}" for n in range(3000))
    fields = problems_of(encode_csv, f"{names}\n{',' * 2999}\n".encode())
    assert len(fields) == 51
    assert fields["..."] == "and 2951 more"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"," * 70_000 + b"\n1", 1),
        (b'"a"' + b"," * 70_000 + b"\n1", 1),
        (b"amount,years,home\n1,2,own\n" + b"1," * 40_000, 3),
        (b'amount,years,"home"\n1,2,own\n' + b"1," * 40_000, 3),
        (b"amount,years,home\n1,2,own\n" + b'"\n",' * 30_000, 16387),
    ],
    ids=lambda part: str(part)[:24],
)
def test_a_row_without_end_is_refused_before_it_becomes_cells(body, line):
    assert problems_of(encode_csv, body) == {
        "": f"not a CSV at line {line}, expected quotes as in RFC 4180 and rows of at most 65536 characters"
    }
