"""A number is written as a reader needs it."""

import pytest

from serve.contract.numbers import EXACT, count, write_number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.898936, "0.8989"),
        (1234.56, "1,235"),
        (41234.5678, "41,235"),
        (1000000, "1,000,000"),
        (1000000.0, "1,000,000"),
        (-2500.0, "-2,500"),
        (0.0, "0"),
        (0.00012346, "0.0001235"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (1e300, "1e+300"),
        (9999.6, "10,000"),
        (-9999.96, "-10,000"),
        (9998.4, "9,998"),
        (10**16 + 1, "10,000,000,000,000,001"),
        (2.0**53, "9,007,199,254,740,992"),
    ],
)
def test_a_number_is_rounded_to_four_digits_and_a_whole_one_is_kept(number: float, text: str) -> None:
    assert write_number(number) == text


@pytest.mark.parametrize(("limit", "text"), [(0.123456, "0.123456"), (1234567.5, "1,234,567.5"), (0.1, "0.1")])
def test_a_limit_is_written_exactly_where_its_digits_are_asked_for(limit: float, text: str) -> None:
    assert write_number(limit, EXACT) == text


def test_one_thing_is_counted_as_one():
    assert [count(number, "row") for number in (0, 1, 2, 1234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]
