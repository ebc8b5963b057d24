import re

import pytest

from serve.metrics import exposition
from serve.metrics.counters import Key
from serve.metrics.exposition import BUCKETS, DIFFERENCES, METRICS, expose
from tests.exposition import read_series


def series(sums: dict[Key, list[float]], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return read_series(expose(sums).decode(), name, *labels)


def test_a_counter_has_its_labels_and_a_total():
    sums = {(exposition.KEY_USES, "lab"): [2], (exposition.KEY_USES, "shop"): [0.0]}
    assert series(sums, "loan_key_uses_total", "key") == {("lab",): 2, ("shop",): 0}


@pytest.mark.parametrize(
    ("name", "together"),
    [(exposition.WORKERS, 6), (exposition.LOADED_AT, 1), (exposition.REGISTRY_SUCCESS, 3)],
    ids=["sum", "min", "max"],
)
def test_the_gauges_of_several_processes_are_one(name, together):
    assert series({(name,): [2, 1, 3]}, name) == {(): together}


@pytest.mark.parametrize(
    ("name", "bounds"), [(exposition.SECONDS, BUCKETS), (exposition.SHADOW_DIFFERENCE, DIFFERENCES)]
)
def test_the_buckets_of_a_histogram_are_cumulative(name, bounds):
    labels = next(metric.labels for metric in METRICS if metric.name == name)
    sums = {(name, *labels): [*range(len(bounds) + 1), 0.5]}
    buckets = series(sums, f"{name}_bucket", *labels, "le")
    assert [le for (*_, le) in buckets] == [*map(str, bounds), "+Inf"]
    assert list(buckets.values()) == [number * (number + 1) / 2 for number in range(len(bounds) + 1)]
    assert series(sums, f"{name}_sum", *labels) == {labels: 0.5}


def test_every_metric_is_described_once_even_before_it_is_counted():
    helps = re.findall(r"^# HELP (\w+) .", expose({}).decode(), re.MULTILINE)
    assert [name.removesuffix("_total") for name in helps] == [metric.name for metric in METRICS]
    assert len(set(helps)) == len(helps)
