import io

import pytest

from loan_approval.data.rows import Row, split_rows
from loan_approval.data.source import Source, clean_like_source, clean_rows, is_like_source
from loan_approval.errors import DataError
from serve.contract.contract import Contract

GERMAN = Source(
    separator="semicolon",
    encoding="cp1252",
    decimal_comma=("amount",),
    missing={"amount": ["k.A."], "granted": ["?"]},
    left_out={"id": "a running number"},
    drop_unlabelled=True,
)
TEXT = "id;amount;home;region;granted\n1;1.234,5;own;north;yes\n2;k.A.;rent;south;no\n3;7;own;north;?\n"
CLEAN = [
    ["amount", "home", "region", "granted"],
    ["1234.5", "own", "north", "yes"],
    ["", "rent", "south", "no"],
]


def numbered(rows):
    return (Row(cells, line) for line, cells in enumerate(rows, 1))


@pytest.fixture
def contract(homes_contract):
    def with_source(source):
        return Contract.from_dict(homes_contract.to_dict() | {"source": source.to_dict()})

    return with_source


def test_a_source_is_recorded_without_what_is_empty_and_read_again(contract):
    assert Source().to_dict() == {"encoding": "utf-8", "separator": "comma"}
    recorded = Source.of(contract(GERMAN))
    assert recorded is not None
    assert recorded.to_dict() == GERMAN.to_dict()


def test_a_contract_without_a_source_has_none(homes_contract):
    assert Source.of(homes_contract) is None
    assert not is_like_source(TEXT.encode(), homes_contract)


def test_a_file_like_the_source_is_cleaned_by_its_rules(contract):
    lines = split_rows(io.StringIO(TEXT, newline=""), GERMAN.separator)
    assert list(clean_like_source(lines, contract(GERMAN), GERMAN, [])) == CLEAN


def test_rows_keep_their_lines_where_others_are_left_out(contract):
    text = "# a comment\n\n" + TEXT.replace("k.A.;", '"k.A.\n";') + "4;8;own\n"
    cleaned = list(
        clean_like_source(split_rows(io.StringIO(text, newline=""), "semicolon"), contract(GERMAN), GERMAN, [])
    )
    assert [row.line for row in cleaned[1:]] == [4, 5, 8]


def test_clean_cells_stay_as_they_are():
    rows = [["a", "b"], ["1.5", "1e3"], ["", "x"], ["1"]]
    assert list(clean_rows(numbered(rows), Source(), {"a", "b"}, "b", [])) == rows


@pytest.mark.parametrize(
    ("source", "text", "like"),
    [
        (GERMAN, TEXT, True),
        (GERMAN, "amount,home,region,granted\n1.234,own,north,yes\n", False),
        (Source(), "amount,home\n$5,own\n", True),
        (Source(names=("amount", "home")), "5,own\n", True),
        (Source(names=("amount", "home")), "amount,home\n5,own\n", False),
        (Source(decimal_comma=("amount",)), 'amount,home\n"1.234,5",own\n', True),
        (Source(decimal_comma=("amount",)), "amount,home\n1.234,own\n", False),
        (Source(separator="tab"), "amount\thome\n5\town\n", True),
        (Source(encoding="cp1252"), "amount,home\n5,é\n", False),
    ],
)
def test_a_clean_file_is_told_from_one_like_the_source(contract, source, text, like):
    assert is_like_source(text.encode(), contract(source)) is like


def test_a_file_in_the_encoding_of_the_source_is_like_it(contract):
    source = Source(encoding="cp1252", decimal_comma=("amount",))
    assert is_like_source("amount,home\n5,é\n".encode("cp1252"), contract(source))


def test_a_sample_that_cuts_a_row_or_a_letter_off_is_judged_by_its_whole_rows(contract):
    body = ("amount,home\n" + "5,own\n" * 20_000 + "5,é\n").encode()
    cut = body[:65_536]
    assert is_like_source(cut, contract(Source(separator="semicolon"))) is False


def test_rows_of_another_width_are_left_to_whoever_judges_them():
    source = Source(left_out={"a": "why"})
    assert list(clean_rows(numbered([["a", "b"], ["1", "2"], ["1"]]), source, (), "b", [])) == [["b"], ["2"], ["1"]]


def test_dates_are_written_as_the_clean_data_set_has_them_and_clean_ones_stay():
    source = Source(dates={"asked": "DD/MM/YYYY"}, missing={"asked": ["n/a"]})
    rows = [["asked", "x"], ["29/02/2020", "29/02/2020"], ["2020-02-29", "1"], ["31/02/2020", "2"], ["n/a", ""]]
    cleaned = list(clean_rows(numbered(rows), source, (), "y", []))
    assert [row[0] for row in cleaned[1:]] == ["2020-02-29", "2020-02-29", "31/02/2020", ""]
    assert cleaned[1][1] == "29/02/2020"


def test_a_recorded_notation_that_is_none_is_refused(contract):
    with pytest.raises(DataError, match=r"source\.dates\.asked: expected a notation such as DD/MM/YYYY"):
        Source.of(contract(Source(dates={"asked": "%d/%m/%Y"})))
