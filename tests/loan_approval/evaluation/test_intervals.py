import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, rankdata

from loan_approval.errors import DataError
from loan_approval.evaluation import costs, fairness, metrics, reliability
from loan_approval.evaluation.auc import auc_interval
from loan_approval.evaluation.comparison import compare
from loan_approval.evaluation.intervals import (
    Interval,
    effective_rows,
    mean_interval,
    rank_p_value,
    wilson_interval,
)


def drawn(rows=200, signal=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return y, 1 / (1 + np.exp(-(signal * y + rng.normal(size=rows))))


def auc_p_value(y, p, seed, permutations=2000):
    return rank_p_value(y, rankdata(p), seed, permutations=permutations)


def test_the_p_value_is_small_where_there_is_signal():
    assert auc_p_value(*drawn(), seed=1, permutations=200) == pytest.approx(1 / 201)


def test_the_p_value_is_uniform_where_there_is_none():
    p_values = [auc_p_value(*drawn(60, 0, seed), seed, permutations=99) for seed in range(100)]
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(p_values) <= 0.2) == pytest.approx(0.2, abs=0.12)


def test_the_p_value_follows_from_the_seed():
    assert auc_p_value(*drawn(30, 0.1), seed=1) == auc_p_value(*drawn(30, 0.1), seed=1)


def test_the_interval_of_a_mean_of_one_kind_is_that_of_a_share() -> None:
    values = np.repeat([0.0, 3.0], [30, 10])
    found = mean_interval(values, {3.0})
    assert (found.value, found.low, found.high) == pytest.approx((0.75, *(3 * end for end in wilson_interval(10, 40))))


def test_the_interval_of_a_mean_of_many_rows_is_that_of_a_sample_mean():
    values = np.random.default_rng(0).choice([-2.0, 0.0, 1.0, 5.0], 4000, p=[0.1, 0.5, 0.3, 0.1])
    found = mean_interval(values, {-2.0, 1.0, 5.0})
    assert found.value == pytest.approx(np.mean(values))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(4000), rel=0.12)


def test_a_kind_that_no_row_has_may_still_occur():
    seen = np.repeat([0.0, 1.0], [150, 50])
    assert mean_interval(seen, {1.0, 10.0}).high > mean_interval(seen, {1.0}).high + 0.1


def test_rows_of_a_group_say_as_much_as_they_differ():
    groups = np.repeat(np.arange(100), 5)
    rng = np.random.default_rng(1)
    assert effective_rows(groups, rng.normal(size=100)[groups]) == pytest.approx(100, rel=0.01)
    assert effective_rows(groups, rng.normal(size=500)) > 400
    assert effective_rows(groups, np.zeros(500)) == effective_rows(groups) == 100
    assert effective_rows(np.zeros(5, dtype=int), rng.random(5)) == 1


@pytest.mark.parametrize(
    ("count", "rows", "low", "high"), [(2, 10, 0.0567, 0.5098), (0, 4, 0, 0.4899), (4, 4, 0.5101, 1), (0, 0, 0, 1)]
)
def test_the_interval_of_a_share_is_wilsons(count, rows, low, high):
    assert wilson_interval(count, rows) == pytest.approx((low, high), abs=1e-4)


def test_an_interval_reads_as_estimate_and_bounds():
    assert str(Interval(0.87654, 0.85, 0.9)) == "0.877 [0.850, 0.900]"


# Every interval of the project at every edge: few rows, none or all of one kind, equal scores, copies of rows.
FEW_DRAWS = 30


def held(interval: Interval | dict[str, float]) -> bool:
    found = interval if isinstance(interval, Interval) else Interval(**interval)
    given = interval if isinstance(interval, dict) else vars(interval)
    return given["low"] <= found.value <= given["high"]


@given(st.integers(1, 10_000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_wilsons_interval_holds_the_share_and_is_that_of_scipy(drawn_share):
    count, rows = drawn_share
    low, high = wilson_interval(count, rows)
    assert 0 <= low <= count / rows <= high <= 1
    expected = binomtest(count, rows).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6)


@given(st.integers(1, 5000))
def test_the_share_of_none_or_all_has_a_bound_of_exactly_zero_or_one(rows):
    assert wilson_interval(0, rows)[0] == 0
    assert wilson_interval(rows, rows)[1] == 1


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_no_interval_can_be_made_that_misses_its_estimate(value, low, high):
    made = Interval(value, low, high)
    assert made.low <= made.value <= made.high
    assert made.low in (low, value)
    assert made.high in (high, value)


@st.composite
def judged_rows(draw):
    """Draw labels, scores, decided codes and the numbers of the distinct rows of 1 to 60 rows."""
    rows = draw(st.integers(1, 60))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = draw(st.sampled_from([np.full(rows, 0.5), np.zeros(rows), np.ones(rows), rng.random(rows)]))
    groups = np.sort(rng.integers(0, max(1, int(rows * draw(st.sampled_from([0.05, 0.5, 1.0])))), rows))
    labels, groups = (rng.random(rows) < share).astype(int), np.unique(groups, return_inverse=True)[1]
    return labels, scores, (scores >= 0.5).astype(int), groups


def few_draws(monkeypatch):
    monkeypatch.setattr("loan_approval.evaluation.reliability.BOOTSTRAP_DRAWS", FEW_DRAWS)


@settings(deadline=None)
@given(judged_rows(), st.integers(0, 9))
def test_every_interval_of_judged_rows_holds_its_estimate(rows, seed):
    y, p, decided, groups = rows
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_draws(monkeypatch)
        measured = reliability.measure_reliability(y, p, seed, groups)
        assert held(measured.ece)
        assert all(each.low <= each.observed <= each.high for each in measured.bins)
        assert held(mean_interval(y.astype(float), {1.0}, groups))
        baseline = costs.compare_with_baseline(y, decided, costs.Costs(2.0, 1.0), groups)
        assert held(baseline["accuracy_gained"])
        assert held(baseline["cost_saved"])
        if 0 < y.sum() < len(y):
            both = compare(
                y, (p, decided), (1 - p, 1 - decided), (costs.Costs(1.0, 1.0), costs.Costs(2.0, 1.0)), groups
            )
            assert held(both.auc)
            assert held(both.cost.saved)
            assert held(both.cost_before.saved)
            assert held(auc_interval(y, p, groups))
            found = metrics.metric_intervals(y, p, decided, groups)
            assert all(map(held, found.values()))


@settings(deadline=None)
@given(judged_rows())
def test_every_interval_of_fairness_holds_its_estimate(rows):
    _, _, decided, groups = rows
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(fairness, "FEWEST_ROWS", 1)
        codes = groups % 3
        compared = sorted(set(codes.tolist()))
        ratios = fairness.approval_ratios(codes, decided, compared, groups)
        gap = fairness.rate_gap(codes, decided, compared, groups)
        assert all(held(each["ratio"]) for each in ratios.values())
        assert gap is None or held(gap)


@pytest.mark.parametrize("y", [[], [0, 0, 0], [1]])
def test_rows_without_both_labels_have_no_auc_and_say_so(y):
    with pytest.raises(DataError, match="without both labels"):
        auc_interval(np.array(y, dtype=int), np.full(len(y), 0.5))


def test_no_rows_have_no_mean_and_no_calibration():
    none = np.array([])
    with pytest.raises(DataError, match="no rows"):
        mean_interval(none, {1.0})
    with pytest.raises(DataError, match="no rows"):
        reliability.measure_reliability(none, none, seed=1)


@pytest.mark.parametrize("copies", [2, 4])
def test_copies_of_rows_narrow_no_interval(copies):
    y, p = drawn(300)
    again = np.repeat(np.arange(300), copies)
    once = auc_interval(y, p)
    copied = auc_interval(y[again], p[again], again)
    assert copied.value == pytest.approx(once.value)
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=1e-9)
    for each, of_copies in zip(
        reliability.measure_reliability(y, p, 1).bins,
        reliability.measure_reliability(y[again], p[again], 1, again).bins,
        strict=True,
    ):
        assert (of_copies.low, of_copies.high) == pytest.approx((each.low, each.high), abs=0.03)


def test_copies_of_rows_change_no_p_value():
    y, p = drawn(80, signal=0.4)
    again = np.repeat(np.arange(80), 4)
    once = rank_p_value(y, rankdata(p), 2)
    assert 0.001 < once < 0.3
    assert rank_p_value(y[again], rankdata(p[again]), 2, again) == once
    assert rank_p_value(y[again], rankdata(p[again]), 2) < once


def test_the_p_value_of_noise_is_uniform_where_some_rows_stand_many_times():
    p_values = []
    for seed in range(200):
        y, p = drawn(60, 0, seed)
        again = np.repeat(np.arange(60), np.random.default_rng([7, seed]).choice([1, 2, 6], 60))
        p_values.append(rank_p_value(y[again], rankdata(p[again]), seed, again, permutations=99))
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.06)


def test_copies_are_as_many_effective_rows_as_there_are_distinct_ones():
    assert effective_rows(np.repeat(np.arange(50), 4)) == 50
    assert effective_rows(np.arange(50)) == 50


def test_units_of_equal_rows_count_as_kish_says_whatever_their_values():
    rng = np.random.default_rng(8)
    for units in (10, 20, 200):
        groups = np.repeat(np.arange(units), rng.geometric(1 / 3, units))
        values = (rng.random(units) < 0.2).astype(float)[groups]
        assert effective_rows(groups, values) == effective_rows(groups)


def test_effective_rows_are_those_of_the_groups_that_are_there():
    assert effective_rows(np.array([3, 3, 8, 8])) == 2


def test_few_groups_that_agree_by_chance_are_no_independent_rows():
    groups, values = np.repeat([0, 1], 50), np.tile([0.0, 1.0], 50)
    assert effective_rows(groups, values) == 2
    values[0] = 1.0
    assert effective_rows(groups, values) == 2


def test_the_mean_of_few_groups_of_alike_rows_is_covered():
    groups, covered = np.repeat(np.arange(3), 20), []
    for number in range(100):
        rng = np.random.default_rng([number, 3])
        z = np.sqrt(0.5) * (rng.normal(size=3)[groups] + rng.normal(size=60))
        found = mean_interval((z > 0).astype(float), {1.0}, groups)
        covered.append(found.low <= 0.5 <= found.high)
    assert sum(covered) >= 88  # of 95 %, fewer have a probability of 0.4 %
