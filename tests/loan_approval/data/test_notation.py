import pytest

from loan_approval.data.notation import (
    find_codes,
    is_code_text,
    is_date,
    is_finite_number,
    judge_decimal_mark,
    read_number,
)


@pytest.mark.parametrize(
    ("cell", "pointed", "comma"),
    [
        ("12", "12", "12"),
        ("-1.5", "-1.5", None),
        ("1e5", "1e5", "1e5"),
        ("$54,378.71", "54378.71", None),
        ("1.234,50 TL", None, "1234.50"),
        ("12 Kč", "12", "12"),
        ("-$5", "-5", "-5"),
        ("$-5", "-5", "-5"),
        ("R$ 1.234,50", None, "1234.50"),
        ("1.234.567,8", None, "1234567.8"),
        ("30901,02", None, "30901.02"),
        ("0,123", None, "0.123"),
        ("12,345", "12345", "12.345"),
        ("12.345", "12.345", "12345"),
        ("1,234,567.8", "1234567.8", None),
        ("1,23,45,678", "12345678", None),
        ("1 234,5", None, "1234.5"),
        ("1\u00a0234\u202f567", None, None),
        ("1\u00a0234\u00a0567", "1234567", "1234567"),
        ("1'000.5", "1000.5", None),
        ("32%", "32", "32"),
        ("32,5 %", None, "32.5"),
        ("5 €", "5", "5"),
        ("EUR 5", "5", "5"),
        ("Rs. 1,05,000/-", "105000", None),
        ("(1,234)", "-1234", "-1.234"),
        ("−5", "-5", "-5"),
        *[
            (cell, None, None)
            for cell in ("", "-", "$", "A11", "5 years", "1,2,3", "12.34.56", "(5", "3+", "inf", "1-2")
        ],
    ],
)
def test_a_number_is_read_by_either_decimal_mark(cell, pointed, comma):
    assert (read_number(cell), read_number(cell, comma=True)) == (pointed, comma)


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["30901,02", "12,345"], ","),
        (["12,345", "1,000"], ""),
        (["12.345", "1.5"], "."),
        (["1.234,5", "1.000"], ","),
        (["$1,234.50", "$12,345"], "."),
        (["1", "2"], ""),
    ],
)
def test_the_decimal_mark_is_what_the_cells_prove(cells, mark):
    assert judge_decimal_mark(cells) == mark


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [
        ([1, 2, 3, 50, 20, 999, 999], [999]),
        ([3, 4, 5, -1, -1], [-1]),
        ([0, 5, 9, 70, -9, -9, -8, -8, -7, -7], [-9, -8, -7]),
        ([-1, 0, 1, -1, -0.5, 0.5, 1], []),
        ([50, 60, 70, 80, 99, 99], []),
        ([1, 2, 3, 50, 20, 999], []),
        ([0, 1, -1, -1, 0, 1], []),
        ([-5000, 100, 200, -999, -999], []),
        ([-400, -2000, -10, -9000, *[365243] * 5], [365243]),
        ([0, 1, 2, 17, *[96] * 5, *[98] * 5], [96, 98]),
        ([0, 1, 2, 17, *[96] * 4, *[98] * 5], []),
        ([0, 1, 2, 17, *[50] * 9], []),
        ([0.5, 1, 2, 3, *[96.5] * 9], []),
    ],
)
def test_codes_lie_apart_from_all_other_numbers_in_two_rows_or_more(numbers, codes):
    assert find_codes([float(number) for number in numbers]) == codes


@pytest.mark.parametrize(
    "cell",
    [
        *("2025-08-01", "2025-08", "2025-08-01T10:00:00", "2025-08-01 10:00", "14/10/1998", "1.2.98", "Apr-2025"),
        *("Jan 2025", "Dec-15", "15-Dec-2015", "March 3, 2020", "abr/2024", "Dez 2024"),
        *(
            "2023Q1",
            "2020-Q4",
            "Q4 2012",
            "H1 2021",
            "2023-W07",
            "KW 12/2020",
            "1T20",
            "5 juillet 1980",
            "3 de mayo de 2020",
        ),
    ],
)
def test_dates_and_months_of_a_year_are_found(cell):
    assert is_date(cell)


@pytest.mark.parametrize(
    "cell", ["2025", "1.5", "12-11", "10+ years", "May", "Mar", "10:20", "1/2", "", "Q1", "12A", "1234-Q1"]
)
def test_what_is_no_date_is_not_taken_for_one(cell):
    assert not is_date(cell)


def test_a_code_of_digits_begins_with_zero():
    assert [is_code_text(cell) for cell in ("02139", "0", "0.5", "10")] == [True, False, False, False]


@pytest.mark.parametrize(("cell", "finite"), [("1.5", True), ("1e999", False), ("inf", False), ("1,5", False)])
def test_a_plain_finite_number_is_told_from_others(cell, finite):
    assert is_finite_number(cell) == finite
