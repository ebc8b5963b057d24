from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from loan_approval.errors import DataError
from loan_approval.evaluation.auc import auc_gain, auc_interval
from loan_approval.evaluation.metrics import metric_intervals
from tests.benchmarks.gains import WORSE_NEAR_1, gains_though_worse
from tests.benchmarks.intervals import SIMULATED_AUCS, cover_auc


@pytest.mark.parametrize(("rows", "share", "auc"), SIMULATED_AUCS)
def test_the_interval_covers_the_true_auc_as_often_as_it_says(rows: int, share: float, auc: float) -> None:
    covered = sum(cover_auc(rows, share, auc, number) for number in range(100))
    assert covered >= 88  # of 95 %, fewer have a probability of 0.4 %


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 8)), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(label for label, _, _ in rows) < len(rows)
    )
)
def test_the_interval_holds_sklearns_auc_whatever_the_rows_ties_and_groups(rows: list[tuple[int, int, int]]) -> None:
    y, p, groups = (np.array(column) for column in zip(*rows, strict=True))
    for found in (auc_interval(y, p / 5), auc_interval(y, p / 5, groups)):
        assert found.value == pytest.approx(roc_auc_score(y, p))
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_perfect_ranking_of_few_rows_is_not_certain() -> None:
    found = auc_interval(np.array([0] * 20 + [1] * 5), np.arange(25.0))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 5))  # five successes of five, Clopper and Pearson


def test_turned_round_the_interval_is_turned_round() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(80)
    y = (rng.random(80) < p).astype(int)
    found, turned = auc_interval(y, p), auc_interval(y, -p)
    assert [turned.value, turned.low, turned.high] == pytest.approx(
        [1 - found.value, 1 - found.high, 1 - found.low], abs=0.02
    )


def test_the_table_of_all_metrics_has_the_same_interval() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(80)
    y = (rng.random(80) < p).astype(int)
    found = auc_interval(y, p)
    assert metric_intervals(y, p, (p > 0.5).astype(int))["roc_auc"] == {
        "value": found.value,
        "low": found.low,
        "high": found.high,
    }


def test_a_single_label_has_no_auc() -> None:
    with pytest.raises(DataError, match="3 rows without both labels"):
        auc_interval(np.zeros(3), np.arange(3.0))


def test_the_gain_is_the_difference_of_both_aucs_and_delongs_error_of_it() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.random((2, 200))
    y = (rng.random(200) < first).astype(int)
    found = auc_gain(y, first, second)
    assert found.value == pytest.approx(roc_auc_score(y, first) - roc_auc_score(y, second))
    beats = [np.greater.outer(p[y == 1], p[y == 0]).astype(float) for p in (first, second)]
    gained = beats[0] - beats[1]
    error = sqrt(sum(np.var(gained.mean(axis=axis), ddof=1) / gained.shape[1 - axis] for axis in (0, 1)))
    assert 1 <= (found.high - found.low) / 2 / (1.97 * error) < 1.02  # more by the floor of the variance


def test_copies_of_rows_narrow_no_interval_of_a_gain() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.random((2, 100))
    y, again = (rng.random(100) < first).astype(int), np.repeat(np.arange(100), 3)
    once, copied = auc_gain(y, first, second), auc_gain(y[again], first[again], second[again], again)
    assert [copied.value, copied.low, copied.high] == pytest.approx([once.value, once.low, once.high])


def test_two_perfect_rankings_of_few_rows_are_not_surely_alike() -> None:
    y = (np.arange(60) < 8).astype(int)
    found = auc_gain(y, 5.0 * y, 9.0 * y)
    assert (found.value, found.low) == (0, pytest.approx(-found.high))
    assert found.low < -0.1
    assert auc_gain(y, 5.0 * y, 9.0 * y, error=0.001).low < found.low


@pytest.mark.parametrize(("rows", "ones"), WORSE_NEAR_1)
def test_a_challenger_that_is_worse_near_1_seldom_passes(rows: int, ones: int) -> None:
    assert sum(gains_though_worse(rows, ones, number) for number in range(100)) <= 7  # of 2.5 %, more: 0.4 %


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3), st.integers(0, 8)), min_size=2, max_size=40
    ).filter(lambda rows: 0 < sum(row[0] for row in rows) < len(rows)),
    st.sampled_from([0.025, 0.001]),
)
def test_the_interval_of_a_gain_holds_it_and_turned_round_is_turned_round(
    rows: list[tuple[int, int, int, int]], error: float
) -> None:
    y, first, second, groups = (np.array(column) for column in zip(*rows, strict=True))
    for units in (None, groups):
        found, turned = auc_gain(y, first, second, units, error), auc_gain(y, second, first, units, error)
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert [found.low, found.high] == pytest.approx([-turned.high, -turned.low])
