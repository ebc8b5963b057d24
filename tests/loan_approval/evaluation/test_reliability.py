import json
from dataclasses import asdict

import numpy as np
import pytest

from loan_approval.evaluation.intervals import Interval
from loan_approval.evaluation.reliability import measure_reliability


def drawn(rows, shift=0.0, seed=0):
    """Return labels and probabilities that are `shift` too high."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.1, 0.9, rows)
    return (rng.random(rows) < p - shift).astype(int), p


def test_the_error_is_the_mean_distance_of_the_bins():
    y, p = np.array([0, 0, 1, 0, 1, 1, 1, 1]), np.array([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9])
    measured = measure_reliability(y, p, seed=1, bins=2)
    assert [(each.predicted, each.observed, each.rows) for each in measured.bins] == [
        (pytest.approx(0.1), 0.25, 4),
        (pytest.approx(0.9), 1.0, 4),
    ]
    assert measured.ece.value == pytest.approx((0.15 + 0.1) / 2)


def test_bins_are_filled_equally():
    measured = measure_reliability(*drawn(1003), seed=1)
    assert len(measured.bins) == 10
    assert {each.rows for each in measured.bins} <= {100, 101}
    assert [each.predicted for each in measured.bins] == sorted(each.predicted for each in measured.bins)


def test_equal_scores_share_a_bin():
    p = np.repeat([0.2, 0.6], [70, 30])
    assert [each.rows for each in measure_reliability((p > 0.5).astype(int), p, seed=1).bins] == [70, 30]


def test_a_bins_interval_is_wilsons():
    y, p = np.repeat([0, 1], [8, 2]), np.full(10, 0.5)
    (only,) = measure_reliability(y, p, seed=1).bins
    assert (only.low, only.high) == (pytest.approx(0.0567, abs=1e-4), pytest.approx(0.5098, abs=1e-4))


@pytest.mark.parametrize("rows", [400, 4000])
def test_perfect_probabilities_show_the_error_of_chance_and_the_interval_holds_zero(rows):
    measured = [measure_reliability(*drawn(rows, seed=seed), seed=seed) for seed in range(20)]
    assert np.mean([each.ece.value for each in measured]) == pytest.approx(measured[0].ece_by_chance, rel=0.15)
    assert sum(each.ece.low == 0 for each in measured) >= 18


@pytest.mark.parametrize("rows", [400, 4000])
@pytest.mark.parametrize("shift", [0.03, 0.08])
def test_the_interval_holds_the_true_error(rows, shift):
    intervals = [measure_reliability(*drawn(rows, shift, seed), seed=seed).ece for seed in range(20)]
    assert sum(each.low <= shift <= each.high for each in intervals) >= 17
    assert all(each.low <= each.value <= each.high for each in intervals)


def test_a_miscalibrated_model_is_told_from_chance():
    measured = measure_reliability(*drawn(4000, shift=0.08), seed=1)
    assert measured.ece.low > measured.ece_by_chance


def test_the_measurement_follows_from_the_seed_and_is_a_json_document():
    one, other = (measure_reliability(*drawn(200), seed=3) for _ in range(2))
    assert one == other
    document = json.loads(json.dumps(asdict(one), allow_nan=False))
    assert set(document["bins"][0]) == {"predicted", "observed", "rows", "low", "high"}
    assert Interval(**document["ece"]) == one.ece
    assert 0 < document["ece_by_chance"] < 0.2
