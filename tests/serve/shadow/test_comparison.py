"""A challenger beside a champion: what keeps it from scoring, and what its metrics count."""

from dataclasses import replace

import numpy as np
import pytest

from serve.metrics.observer import Observer
from serve.shadow.comparison import REASONS, ShadowCounts, find_difference
from serve.store.live import LiveModel
from tests.exposition import read_series


@pytest.mark.parametrize(("part", "value"), [("max", 120), ("missing", False), ("unit", "months"), ("type", "number")])
def test_a_feature_that_lets_in_or_means_something_else_is_a_difference(loans, part, value):
    first = replace(loans.features[0], **{part: value})
    other = replace(loans, features=(first, *loans.features[1:]))
    assert find_difference(loans, other) == f"its contract has another {part} for {first.name}"


def test_what_changes_neither_encoding_nor_admission_is_no_difference(loans):
    first = replace(loans.features[0], example=50, reason={}, direction=1, protected=False, actionable=True)
    assert find_difference(loans, replace(loans, features=(first, *loans.features[1:]), split_salt="x")) == ""


def test_features_in_another_order_are_a_difference(loans):
    other = replace(loans, features=(loans.features[1], loans.features[0], *loans.features[2:]))
    assert "in another order" in find_difference(loans, other)


def test_a_difference_is_counted_in_the_buckets_that_reach_it(shelf):
    shelf.promote("loans", version="7")
    live, observer = LiveModel(shelf.store), Observer()
    live.refresh()
    counts = ShadowCounts(observer.tallies)
    for difference in (0.0, 0.001, -0.0011, 0.3, -1.0):
        counts.scored(live.current, live.current, np.array([difference]), np.array([0], dtype=np.int64))
    text, labels = observer.expose().decode(), ("version", "champion", "side", "le")
    buckets = read_series(text, "loan_shadow_difference_bucket", *labels)
    counted = {(side, float(le)): count for (_, _, side, le), count in buckets.items()}
    assert [counted["above", le] for le in (0.001, 0.0025, 0.25, 0.5, 1.0)] == [2, 2, 2, 3, 3]
    assert [counted["below", le] for le in (0.001, 0.0025, 0.5, 1.0)] == [0, 1, 1, 2]


def test_reasons_are_counted_from_zero():
    observer = Observer()
    ShadowCounts(observer.tallies)
    series = read_series(observer.expose().decode(), "loan_shadow_dropped_total", "reason")
    assert series == {(reason,): 0 for reason in REASONS}
