from datetime import date, timedelta

import pytest

from loan_approval.data.dates import ISO, NOTATIONS, find_notations, is_date, is_notation, read_as, read_column

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
        ["Mon-2020"],
        ["31/02/2020"],
        ["20200101"],
        ["text"],
    ],
)
def test_other_cells_suit_no_notation(cells):
    assert find_notations(cells) == []


@pytest.mark.parametrize(
    ("cell", "month"),
    [
        *[(f"{name} 2020", 2) for name in ("fev.", "Februar", "FEB", "febrero", "fevereiro", "févr.", "luty", "Şubat")],
        *[("12 juin 2020", 6), ("12 juil. 2020", 7), ("12 luglio 2020", 7), ("12 août 2020", 8), ("12 gru 2020", 12)],
        *[("12 gen 2020", 1), ("12 maart 2020", 3), ("12 mei 2020", 5), ("12 Ağu 2020", 8), ("12 lip 2020", 7)],
    ],
)
def test_months_have_names_in_several_languages(cell, month):
    notation = "DD Mon YYYY" if cell.startswith("12 ") else "Mon YYYY"
    assert read_as(cell, notation)[5:7] == f"{month:02}"


@pytest.mark.parametrize(
    ("cells", "notation", "first"),
    [
        (["30/04/98", "31/12/05", "01/02/70"], "DD/MM/YY", "1998-04-30"),
        (["98-04-03", "05-12-31"], "YY-MM-DD", "1998-04-03"),
        (["Apr-98", "Dec-05"], "Mon-YY", "1998-04-01"),
        (["30 avr. 19"], "DD Mon YY", "2019-04-30"),
    ],
)
def test_years_of_two_digits_mean_the_hundred_that_end_this_year(cells, notation, first):
    this = date.today().year
    (found,) = find_notations(cells)
    assert found == f"{notation}, years {this - 99} to {this}"
    assert is_notation(found)
    assert read_as(cells[0], found) == first


def test_no_date_of_two_digits_lies_in_the_next_year():
    after = (date.today().year + 1) % 100
    (found,) = find_notations([f"31.12.{after:02}"])
    assert read_as(f"31.12.{after:02}", found) == f"{date.today().year - 99}-12-31"


@pytest.mark.parametrize(
    "cells", [["03-04-05"], ["12/12/24", "12/12/30", "12/12/50"], [f"{year}-12-{year}" for year in range(10, 30)]]
)
def test_years_of_two_digits_that_leave_a_doubt_are_not_read(cells):
    assert find_notations(cells) == []


def test_ten_dates_without_a_separator_are_told_from_amounts():
    days = [f"{day:%Y%m%d}" for day in DAYS]
    assert find_notations(days) == ["YYYYMMDD"]
    assert find_notations(sorted({day[:6] for day in days})) == ["YYYYMM"]
    assert find_notations(days[:9]) == []
    assert find_notations([*days, "20201301"]) == []
    assert read_as("2019128", "YYYYMMDD") is None


@pytest.mark.parametrize("time", ["T00:00:00", " 23:59", " 11:59:59.5 PM", "T00:00:00Z", " 10:00:00+01:00"])
def test_the_time_of_a_day_is_left_out(time):
    assert read_as(f"2020-02-29{time}", ISO) == "2020-02-29"


def test_a_cell_that_is_no_date_stays_for_the_contract_to_refuse():
    assert read_column(["31/02/2020", "", "x"], "DD/MM/YYYY") == ["31/02/2020", "", "x"]


@pytest.mark.parametrize(
    "text",
    [
        "%d/%m/%Y",
        "DD/MM/YY",
        "YYYY",
        "",
        "DD.MM.YYYY MM",
        "DD/MM/YY, years 1900 to 2026",
        "DD/MM/YYYY, years 1927 to 2026",
    ],
)
def test_a_notation_has_a_year_and_a_month_once(text):
    assert not is_notation(text)
    assert all(map(is_notation, (*NOTATIONS, "YYYYMMDD")))


@pytest.mark.parametrize(
    "cell",
    [
        *("2025-08-01", "2025-08", "2025-08-01T10:00:00", "2025-08-01 10:00", "14/10/1998", "1.2.98", "Apr-2025"),
        *("Jan 2025", "Dec-15", "15-Dec-2015", "March 3, 2020", "abr/2024", "Dez 2024"),
    ],
)
def test_dates_and_months_of_a_year_are_found(cell):
    assert is_date(cell)


@pytest.mark.parametrize("cell", ["2025", "1.5", "12-11", "10+ years", "May", "Mar", "10:20", "1/2", ""])
def test_what_is_no_date_is_not_taken_for_one(cell):
    assert not is_date(cell)
