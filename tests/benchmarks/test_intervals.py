"""Each row of `make bench-intervals`, simulated 20 times."""

import pytest

from tests.benchmarks.intervals import list_rows

ROWS = list_rows(20)


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}: {row[0]}" for number, row in enumerate(ROWS)])
def test_each_interval_covers_and_each_call_is_rarely_wrong(row):
    name, *_, simulate = row
    counted = sum(simulate(number) for number in range(20))
    if "at most" in name:
        assert counted <= 4  # of 5 %, more have a probability of 0.3 %
    else:
        assert counted >= 15  # of 93 %, fewer have a probability of 0.2 %
