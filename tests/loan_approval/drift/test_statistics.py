import numpy as np
import pytest
from scipy.stats import ks_2samp, ncx2

from loan_approval.drift.statistics import (
    chi_square_p_value,
    correct_p_values,
    count_bins,
    measure_distance,
    merge_small_bins,
    quantile_edges,
    stability_index,
    stability_interval,
)
from tests.benchmarks.intervals import cover_stability


def test_p_values_are_corrected_after_holm() -> None:
    assert correct_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correct_p_values([0.6, 0.7]) == [1.0, 1.0]
    assert correct_p_values([]) == []


def test_the_stability_index_is_that_of_the_definition() -> None:
    index, by_chance = stability_index(np.array([[600_000, 400_000], [500_000, 500_000]]))
    assert index == pytest.approx(-0.1 * np.log(5 / 6) + 0.1 * np.log(5 / 4), rel=1e-4)
    assert by_chance == pytest.approx(2e-6)


def test_what_chance_adds_to_the_stability_index_of_few_rows_is_taken_off() -> None:
    rng = np.random.default_rng(3)
    distance = measure_distance(rng.normal(size=60), rng.normal(size=60))
    assert distance.psi_by_chance == pytest.approx(9 * 2 / 60)  # ten bins
    assert distance.effect == pytest.approx(distance.psi - 9 * 2 / 60)


def test_an_empty_bin_is_no_infinity_and_a_bin_empty_on_both_sides_says_nothing() -> None:
    index, _ = stability_index(np.array([[100, 0], [50, 50]]))
    assert 0 < index < 10
    assert stability_index(np.array([[100, 0, 7], [50, 0, 9]])) == stability_index(np.array([[100, 7], [50, 9]]))


def test_a_value_that_many_rows_share_is_a_bin_of_its_own() -> None:
    reference = np.array([*[0.0] * 70, *range(1, 31)], dtype=float)
    edges = quantile_edges(reference)
    assert count_bins(reference, edges)[:2].tolist() == [0, 70]
    assert count_bins(np.array([-1.0, 0.0, 1e9]), edges)[[0, 1, -1]].tolist() == [1, 1, 1]


def test_the_few_values_beside_one_that_most_rows_share_are_cut_too() -> None:
    rng = np.random.default_rng(1)
    reference, current = (np.where(rng.random(rows) < 0.96, 0, rng.lognormal(3, 0.5, rows)) for rows in (2000, 1000))
    assert measure_distance(reference, current).p_value > 0.01
    distance = measure_distance(reference, current / 1000)
    assert distance.p_value < 1e-6
    assert distance.effect > 0.02


def test_bins_are_of_equal_mass() -> None:
    reference = np.random.default_rng(1).normal(size=1000)
    counts = count_bins(reference, quantile_edges(reference))
    assert counts.tolist() == [100] * 10


def test_rare_bins_are_merged_until_the_chi_square_test_is_valid() -> None:
    counts = np.array([[900, 3, 2, 1, 94], [450, 1, 1, 2, 46]])
    merged = merge_small_bins(counts)
    assert merged.sum() == counts.sum()
    expected = merged.sum(axis=0) * 500 / 1500
    assert np.all(expected >= 5) or merged.shape[1] == 1
    assert merged.shape[1] == 2


def test_nothing_can_be_told_of_two_rows() -> None:
    assert chi_square_p_value(np.array([[900, 100], [0, 1]])) == 1.0
    assert chi_square_p_value(np.array([[900, 100], [0, 0]])) == 1.0


def test_a_changed_spread_is_seen_better_than_by_kolmogorov_and_smirnov_alone() -> None:
    rng = np.random.default_rng(2)
    reference, current = rng.normal(0, 1, 5000), rng.normal(0, 1.3, 1000)
    distance = measure_distance(reference, current)
    assert distance.p_value < 1e-8 < ks_2samp(reference, current).pvalue


@pytest.mark.parametrize(("psi", "low", "high"), [(0.018, 0.0, 0.0282), (0.1, 0.0387, 0.1450)])
def test_the_interval_of_the_stability_index_is_that_of_a_noncentral_chi_square(psi, low, high) -> None:
    # Ten bins of 1,000 and 1,000 rows: psi over 0.002 is a chi-square with 9 degrees of freedom.
    found = stability_interval(psi, 0.018, 10)
    assert found == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    if low:
        assert ncx2.cdf(psi / 0.002, 9, found[0] / 0.002) == pytest.approx(0.975)


def test_a_single_bin_has_no_distance_to_be_unsure_of() -> None:
    assert stability_interval(0.0, 0.0, 1) == (0.0, 0.0)


@pytest.mark.parametrize("moved", [0.0, 0.3, 1.0])
def test_the_interval_covers_the_index_that_all_rows_would_show(moved) -> None:
    assert sum(cover_stability(2000, 300, moved, number) for number in range(20)) >= 16


def test_missing_is_a_bin_of_its_own_in_the_stability_index() -> None:
    values = np.random.default_rng(2).normal(size=1000)
    assert measure_distance(values, values, (0, 0)).psi == 0
    assert measure_distance(values, values, (0, 300)).psi > 0.25
