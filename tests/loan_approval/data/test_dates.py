from datetime import date, timedelta

import pytest

from loan_approval.data.dates import ISO, NOTATIONS, SHORT, find_notations, is_notation, read_as, read_column

DAYS = [date(2019, 11, 28) + timedelta(days) for days in range(0, 400, 9)]
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write(day, notation):
    parts = {"YYYY": f"{day.year}", "MM": f"{day.month:02}", "DD": f"{day.day:02}", "Mon": NAMES[day.month - 1]}
    for token, text in parts.items():
        notation = notation.replace(token, text)
    return notation


@pytest.mark.parametrize("notation", NOTATIONS)
def test_each_usual_notation_is_found_and_read(notation):
    cells = [write(day, notation) for day in DAYS]
    assert find_notations(cells) == [notation]
    expected = [day.isoformat() if "DD" in notation else day.replace(day=1).isoformat() for day in DAYS]
    assert read_column(cells, notation) == expected


def test_days_that_could_be_months_suit_both_orders():
    assert find_notations(["01/02/2020", "12/11/2020"]) == ["DD/MM/YYYY", "MM/DD/YYYY"]
    assert find_notations(["01/02/2020", "13/11/2020"]) == ["DD/MM/YYYY"]
    assert find_notations(["01/02/2020", "11/13/2020"]) == ["MM/DD/YYYY"]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["13/13/2020"],
        ["01/02/2020", "2020-02-01"],
        ["01/02/20"],
        ["Mon-2020"],
        ["31/02/2020"],
        ["20200101"],
        ["text"],
    ],
)
def test_other_cells_suit_no_notation(cells):
    assert find_notations(cells) == []


@pytest.mark.parametrize(
    "cell",
    [
        "29 février 2020",
        "29 febbraio 2020",
        "29 fev. 2020",
        "29 Februar 2020",
        "29 FEB 2020",
        "29 febrero 2020",
        "29 fevereiro 2020",
    ],
)
def test_months_have_names_in_several_languages(cell):
    assert read_as(cell, "DD Mon YYYY") == "2020-02-29"


def test_french_and_italian_months_are_told_apart():
    cells = [
        "1 juin 2020",
        "1 juillet 2020",
        "1 août 2020",
        "1 avril 2020",
        "1 giugno 2020",
        "1 luglio 2020",
        "1 mag 2020",
    ]
    assert [read_as(cell, "DD Mon YYYY")[5:7] for cell in cells] == ["06", "07", "08", "04", "06", "07", "05"]
    assert read_as("1 jui 2020", "DD Mon YYYY") is None


@pytest.mark.parametrize("time", ["T00:00:00", " 23:59", " 11:59:59.5 PM", "T00:00:00Z", " 10:00:00+01:00"])
def test_the_time_of_a_day_is_left_out(time):
    assert read_as(f"2020-02-29{time}", ISO) == "2020-02-29"


def test_a_cell_that_is_no_date_stays_for_the_contract_to_refuse():
    assert read_column(["31/02/2020", "", "x"], "DD/MM/YYYY") == ["31/02/2020", "", "x"]


@pytest.mark.parametrize("text", ["%d/%m/%Y", "DD/MM/YY", "YYYY", "", "DD.MM.YYYY MM"])
def test_a_notation_has_a_year_and_a_month_once(text):
    assert not is_notation(text)
    assert all(map(is_notation, (*NOTATIONS, "YYYYMMDD")))


@pytest.mark.parametrize("notation", NOTATIONS)
def test_years_of_two_digits_are_of_the_hundred_that_the_owner_says(notation):
    short = notation.replace("YYYY", "YY")
    cells = [write(day, notation).replace(f"{day.year}", f"{day.year}"[2:]) for day in DAYS]
    assert find_notations(cells) == []
    assert f"{short} from 1930" in find_notations(cells, SHORT)
    found = f"{short} from 1950"
    assert is_notation(found)
    assert read_as(write(date(2049, 1, 1), notation).replace("2049", "49"), found) == "2049-01-01"
    assert read_as(write(date(2050, 1, 1), notation).replace("2050", "50"), found) == "1950-01-01"


@pytest.mark.parametrize(
    "text", ["DD/MM/YY", "DD/MM/YYYY from 1950", "DD/MM/YY from", "DD/MM/YY from 50", "YY from 1950", "dates"]
)
def test_a_short_year_without_its_hundred_is_no_notation(text):
    assert not is_notation(text)
