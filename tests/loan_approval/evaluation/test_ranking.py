import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from loan_approval.errors import DataError
from loan_approval.evaluation.intervals import Interval
from loan_approval.evaluation.ranking import distance_at, gains_table, gini, ks
from tests.benchmarks.intervals import cover_distance
from tests.benchmarks.metrics import GAIN, cover_metrics

RNG = np.random.default_rng(5)
P = np.round(RNG.random(500), 2)  # with ties
Y = (RNG.random(500) < P).astype(int)


def test_gini_is_twice_the_auc_less_one_at_each_end():
    found = gini(Interval(0.8, 0.7, 0.9))
    assert [found.value, found.low, found.high] == pytest.approx([0.6, 0.4, 0.8])


def test_ks_is_the_distance_that_scipy_finds():
    distance, at = ks(Y, P)
    found = ks_2samp(P[Y == 1], P[Y == 0], alternative="less")
    assert distance == pytest.approx(found.statistic)
    assert np.mean(P[Y == 1] >= at) - np.mean(P[Y == 0] >= at) == pytest.approx(distance)


def test_of_scores_that_say_nothing_ks_is_0_and_of_perfect_ones_1():
    assert ks(Y, np.full(500, 0.5))[0] == 0
    assert ks(Y, Y.astype(float))[0] == 1
    assert np.isnan(ks(np.ones(5), np.arange(5) / 5)[0])


def test_the_distance_at_the_best_score_of_the_same_rows_is_ks():
    distance, at = ks(Y, P)
    found = distance_at(Y, P, at)
    assert found.value == pytest.approx(distance)
    assert -1 <= found.low < found.value < found.high <= 1


def test_copies_of_rows_narrow_no_interval_of_the_distance():
    again = np.repeat(np.arange(500), 3)
    once, copied = distance_at(Y, P, 0.5), distance_at(Y[again], P[again], 0.5, again)
    assert [copied.value, copied.low, copied.high] == pytest.approx([once.value, once.low, once.high])


def test_a_single_label_has_no_distance():
    with pytest.raises(DataError, match="5 rows without both labels"):
        distance_at(np.ones(5), np.arange(5) / 5, 0.5)


@pytest.mark.parametrize("rows", [60, 1000])
def test_the_interval_of_the_distance_covers_the_truth_as_often_as_it_says(rows):
    covered = sum(cover_distance(rows, number) for number in range(200))
    assert covered >= 181  # of 95 %, fewer have a probability of 0.6 %


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=60))
def test_gains_reach_all_zeros_and_never_fall(rows):
    y, p = np.array([label for label, _ in rows]), np.array([score / 4 for _, score in rows])
    table = gains_table(y, p)
    assert table["rows"].sum() == len(y)
    assert table["zeros"].sum() == pytest.approx(np.sum(y == 0))
    if np.any(y == 0):
        assert table["gain"].iloc[-1] == pytest.approx(1)
        assert (table["gain"].diff().dropna() >= 0).all()
        assert table["lift"].iloc[-1] == pytest.approx(1)
        for name in ("gain", "lift"):
            assert (table[f"{name}_low"] <= table[name] + 1e-12).all()
            assert (table[f"{name}_high"] >= table[name] - 1e-12).all()


def test_equal_scores_have_no_lift_in_whatever_order_the_rows_stand():
    for y in (np.repeat([0, 1], 50), np.repeat([1, 0], 50)):
        assert gains_table(y, np.full(100, 0.5))["lift"].tolist() == pytest.approx([1] * 10)


def test_a_perfect_ranking_has_all_zeros_in_the_first_parts():
    table = gains_table(np.repeat([0, 1], [20, 80]), np.linspace(0, 1, 100))
    assert table["gain"].tolist() == pytest.approx([0.5, *[1] * 9])
    assert table["lift"][:2].tolist() == pytest.approx([5, 5])


def test_a_part_of_which_every_row_is_a_zero_may_still_hold_others():
    lowest = gains_table(np.repeat([0, 1], [20, 80]), np.linspace(0, 1, 100)).iloc[1]
    assert lowest["gain"] == lowest["gain_high"] == 1
    assert lowest["gain_low"] == pytest.approx(0.025 ** (1 / 20))  # the exact bound of 20 of 20


def test_copies_of_rows_narrow_no_interval_of_a_gain():
    again = np.repeat(np.arange(500), 3)
    once, copied = gains_table(Y, P), gains_table(Y[again], P[again], groups=again)
    for name in ("gain_low", "gain_high", "lift_low", "lift_high"):
        assert copied[name].to_numpy() == pytest.approx(once[name].to_numpy(), abs=0.004)


def test_the_interval_of_a_gain_covers_what_all_rows_would_show():
    covered = [cover_metrics(200, 0.0, number)[GAIN] for number in range(200)]
    assert sum(covered) >= 181  # of 95 %, fewer have a probability of 0.6 %
