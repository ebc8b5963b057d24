import pytest

from loan_approval.data.reading import Form
from loan_approval.data.source import Source
from loan_approval.data.survey import survey
from loan_approval.data.wishes import Wishes
from loan_approval.errors import DataError

MANY = [str(number) for number in range(100, 160)]


def look(wishes=None, separator="comma", **columns):
    notes = []
    source, numbers, question = survey(Source(separator=separator), columns, wishes or Wishes(), notes)
    return source, numbers, notes, question


@pytest.mark.parametrize("marker", ["NA", "#N/A", "-", "?", r"\N", "unknown", "inf", "None", "k.A.", "sem informação"])
def test_markers_among_numbers_are_missing_values(marker):
    source, numbers, notes, _ = look(x=["1", "2", marker, marker, "5"])
    assert (numbers, source.missing) == (["x"], {"x": [marker]})
    assert f"cells made empty ({marker}): x 2" in notes


def test_few_other_texts_among_many_numbers_are_missing_values():
    assert look(x=[*MANY, "not told"])[0].missing == {"x": ["not told"]}
    assert look(x=[*MANY, "about 7"])[1] == []
    assert look(x=["0", "1", "2", "3+"] * 20)[1] == []


def test_numbers_of_several_scales_stay_text_with_a_word():
    source, numbers, notes, _ = look(rate=["5%", "0.07", "0.1"], amount=["$5", "€6", "$7"], fee=["5%", "6%", "0"])
    assert (numbers, source.missing) == (["fee"], {})
    assert "rate: numbers with % and without a sign are text" in notes[0]
    assert "amount: numbers with € and with $ are text" in notes[1]


def test_na_and_none_in_text_are_values_and_said_to_be():
    source, _, notes, _ = look(country=["ZA", "NA", "None", "BW", "?", r"\N"])
    assert source.missing == {"country": ["?", r"\N"]}
    assert "NA (1 cell), None (1 cell) kept as a value" in notes[0]


@pytest.mark.parametrize(
    ("cells", "commas"),
    [
        ({"x": ["1,5", "2,25"], "y": ["1,234", "5,678"]}, ("x", "y")),
        ({"x": ["1.5", "2.25"], "y": ["1,234", "5,678"]}, ()),
        ({"x": ["1,5", "2,25"], "y": ["1.5", "2.5"]}, ("x",)),
        ({"y": ["1,234", "5,678"]}, ()),
    ],
)
def test_a_column_that_proves_no_decimal_mark_follows_the_others(cells, commas):
    assert look(**cells)[0].decimal_comma == commas


def test_a_semicolon_speaks_for_a_decimal_comma():
    source, _, notes, _ = look(separator="semicolon", y=["1,234", "5,678"])
    assert source.decimal_comma == ("y",)
    assert notes == ["y: numbers such as 1,234 are read as 1.234 (a guess: --decimal)"]


def test_the_owners_decimal_mark_goes_before():
    assert look(Wishes(Form(decimal=",")), y=["1,234", "5,678"])[0].decimal_comma == ("y",)


def test_codes_of_digits_are_no_numbers():
    assert look(zip=["02139", "02140"])[1] == []


def test_codes_for_unknown_are_missing_until_the_owner_says_otherwise():
    cells = ["1", "2", "3", "50", "999", "999"]
    source, _, _, question = look(x=cells)
    assert source.missing == {"x": ["999"]}
    assert "999 in x (2 rows)" in question["question"]
    source, _, notes, question = look(Wishes(answers={"codes": "value"}), x=cells)
    assert (source.missing, question) == ({}, {})
    assert notes == ["kept as numbers: 999 in x (2 rows)"]


def test_columns_with_the_same_codes_stand_in_one_note_and_one_part_of_the_question():
    columns = {f"x{n}": [*MANY, "-9", "-9", "-8", "-8"] for n in range(7)}
    _, _, notes, question = look(**columns, y=[*MANY, "-9", "-9", "1", "1"])
    assert notes[0].startswith("cells made empty (-8, -9): x0 4, x1 4, ")
    assert notes[0].endswith(", x6 4")
    assert notes[1:] == ["cells made empty (-9): y 2"]
    assert "-8, -9 in x0 (4 rows), x1 (4 rows)" in question["question"]
    assert "x4 (4 rows) and 2 more; -9 in y (2 rows)?" in question["question"]


def test_numbers_that_their_owner_calls_codes_stay_as_they_are_without_markers():
    cells = ["101", "-1", "-1", "1,234", "NA", "101.0"]
    plain = ["7", "8", "-1", "-1"]
    source, numbers, _, question = look(Wishes(categories=("branch", "plain")), branch=cells, plain=plain)
    assert (numbers, question, source.missing) == ([], {}, {"branch": ["NA"]})


def test_an_option_for_a_column_of_other_cells_is_refused():
    with pytest.raises(DataError, match="--category a: expected a column of numbers"):
        look(Wishes(categories=("a",)), a=["x", "y"])
    for notation in ("DD/MM/YY from 1930", "MM/DD/YYYY", "dates"):
        with pytest.raises(DataError, match=f"--dates a={notation}: "):
            look(Wishes(dates={"a": notation}), a=["01/02/2020", "13/02/2020"])


def test_years_of_two_digits_are_read_as_their_owner_says():
    source, _, notes, _ = look(Wishes(dates={"born": "DD.MM.YY from 1930"}), born=["31.12.29", "31.12.30", "NA"])
    assert source.dates == {"born": "DD.MM.YY from 1930"}
    assert notes[0].startswith("born: dates are read as DD.MM.YY from 1930: 31.12.")


@pytest.mark.parametrize("unit", ["k", " mois", "万"])
def test_numbers_with_a_unit_behind_them_are_said_to_be_text(unit):
    assert f"numbers with {unit.strip()} behind them are text" in str(look(x=[f"{cell}{unit}" for cell in MANY])[2])
    assert "behind" not in str(look(x=[f"{cell}{unit}" for cell in MANY[:9]])[2])
    assert "behind" not in str(look(x=[*(f"{cell}{unit}" for cell in MANY), "none of these"])[2])


def test_numbers_that_read_as_dates_stay_numbers_until_their_owner_says_so():
    cells = ["20191231", "20200229", "20200110"]
    _, numbers, notes, _ = look(due=cells, amount=["20191231", "20200230"], month=["201912", "202001"])
    assert numbers == ["due", "amount", "month"]
    assert [note.rpartition(" ")[2] for note in notes] == ["due=YYYYMMDD", "month=YYYYMM"]
    source, numbers, notes, _ = look(Wishes(dates={"due": "YYYYMMDD"}), due=cells)
    assert (source.dates, numbers) == ({"due": "YYYYMMDD"}, [])


def test_cells_made_empty_are_counted_by_column_and_marker():
    notes = look(x=["1", "2", "NA"], y=["1", "2", "NA"], z=["1", "2", "?"], w=["1", "-", "-"])[2]
    assert notes == ["cells made empty (NA): x 1, y 1", "cells made empty (?): z 1", "cells made empty (-): w 2"]
