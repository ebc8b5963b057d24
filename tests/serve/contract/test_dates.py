from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.contract.dates import PARTS, Dates, read_date

SINCE = "2015-01-01"
EVER = ("0001-01-01", "9999-12-31")


@given(st.dates().map(str))
def test_the_days_of_a_date_lead_back_to_it(day):
    dates = Dates(EVER, "days", SINCE)
    assert dates.decode(dates.encode(day)) == day


@pytest.mark.parametrize(
    ("part", "number"), [("days", 1885), ("year", 2020), ("month", 2), ("weekday", 6)], ids=lambda part: str(part)
)
def test_a_date_stands_for_its_days_or_a_part(part, number):
    assert Dates(EVER, part, SINCE).encode("2020-02-29") == number


@pytest.mark.parametrize("part", PARTS)
@given(low=st.dates(max_value=date(9000, 1, 1)), days=st.integers(1, 30_000), share=st.floats(0, 1))
def test_a_number_is_within_the_limits_of_its_range(part, low, days, share):
    dates = Dates((str(low), str(low + timedelta(days))), part, SINCE)
    least, largest = dates.limits
    assert least <= dates.encode(str(low + timedelta(int(share * days)))) <= largest


@pytest.mark.parametrize(
    ("text", "kind"), [("2014-12-31", "out of range"), ("2021-01-01", "out of range"), ("2020-02-30", "not a date")]
)
def test_a_fault_is_named_by_its_kind(text, kind):
    with pytest.raises(ValueError, match=f"^{kind}$"):
        Dates((SINCE, "2020-12-31"), "month", SINCE).encode(text)


@pytest.mark.parametrize(
    "text",
    [
        *("2021-02-29", "2020-02-31", "2020-13-01", "0000-01-01", "20200101", "2020-W01-1", "2020-1-1", "01/02/2020"),
        *("2020-01-01T00:00:00", " 2020-01-01", "2020-01-01\n", "２０２０-01-01", "", None, 20200101, date(2020, 1, 1)),
    ],
)
def test_only_a_day_that_was_written_year_month_day_is_a_date(text):
    with pytest.raises(ValueError, match=r"expected YYYY-MM-DD|out of range|must be in"):
        read_date(text)
