import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loan_approval.evaluation.rates import judge_four_fifths, rate_difference, rate_ratio
from tests.benchmarks.intervals import (
    RATES,
    SMALL_GROUPS,
    TIMES,
    calls_at_the_bound,
    calls_wrongly,
    cover_difference,
    cover_ratio,
)

COUNTS = st.integers(0, 200).flatmap(lambda rows: st.tuples(st.integers(0, rows + 1), st.just(rows + 1)))


@given(COUNTS, COUNTS)
def test_each_interval_holds_its_estimate(group: tuple[int, int], reference: tuple[int, int]) -> None:
    difference, ratio = rate_difference(group, reference), rate_ratio(group, reference)
    assert -1 <= difference.low <= difference.value <= difference.high <= 1
    assert (ratio is None) == (reference[0] == 0)
    if ratio:
        assert 0 <= ratio.low <= ratio.value <= ratio.high


@pytest.mark.parametrize(("rows", "rate", "of_reference"), RATES)
def test_the_intervals_cover_the_truth_as_often_as_they_say(rows: int, rate: float, of_reference: float) -> None:
    for cover in (cover_ratio, cover_difference):
        covered = sum(cover(rows, rate, of_reference, number) for number in range(200))
        assert covered >= 181  # of 95 %, fewer have a probability of 0.6 %


@pytest.mark.parametrize(("rows", "rate"), SMALL_GROUPS)
def test_a_ratio_of_a_small_group_to_a_large_one_is_covered_at_high_and_low_rates(rows: int, rate: float) -> None:
    covered = sum(cover_ratio(rows, rate, rate, number, times=TIMES) for number in range(200))
    assert covered >= 181  # of 95 %, fewer have a probability of 0.6 %


@pytest.mark.parametrize(("groups", "rows", "rate"), [(4, 35, 0.9), (12, 60, 0.98), (8, 95, 0.2)])
def test_many_small_groups_at_four_fifths_of_a_large_one_are_hardly_ever_called(groups, rows, rate) -> None:
    called = sum(calls_at_the_bound(groups, rows, rate, number, times=TIMES) for number in range(200))
    assert called <= 19  # of 5 %, more have a probability of 0.4 %


@pytest.mark.parametrize(("groups", "rows"), [(4, 95), (2, 30), (8, 1000)])
def test_equal_groups_are_hardly_ever_called_below_four_fifths(groups: int, rows: int) -> None:
    wrong = sum(calls_wrongly(groups, rows, 0.6, number) for number in range(200))
    assert wrong <= 19  # of 5 %, more have a probability of 0.4 %


@pytest.mark.parametrize(("groups", "rows", "rate"), [(2, 60, 0.6), (4, 95, 0.6), (8, 1000, 0.1)])
def test_groups_at_exactly_four_fifths_are_hardly_ever_called_either_way(groups: int, rows: int, rate: float) -> None:
    called = sum(calls_at_the_bound(groups, rows, rate, number) for number in range(200))
    assert called <= 19  # of 5 %, more have a probability of 0.4 %


def test_few_rows_are_unsure_and_many_are_called() -> None:
    assert judge_four_fifths((15, 30), (24, 30), 1) == "unsure"
    assert judge_four_fifths((500, 1000), (800, 1000), 3) == "below four fifths"
    assert judge_four_fifths((790, 1000), (800, 1000), 3) == "at or above four fifths"


def test_a_reference_without_approvals_leaves_nothing_to_say() -> None:
    assert rate_ratio((5, 10), (0, 10)) is None
    assert judge_four_fifths((5, 10), (0, 10), 1) == "unsure"


def test_turned_round_a_difference_changes_its_sign() -> None:
    found, turned = rate_difference((5, 40), (20, 50)), rate_difference((20, 50), (5, 40))
    assert [turned.value, turned.low, turned.high] == pytest.approx(np.array([-found.value, -found.high, -found.low]))
