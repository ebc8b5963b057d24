import os
import platform
import re

import onnxruntime
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

import serve
from serve.metrics import names
from serve.metrics.counters import Key
from serve.metrics.exposition import METRICS, choose_format, expose
from serve.metrics.names import BUCKETS, DIFFERENCES
from tests.exposition import read_series


def series(sums: dict[Key, list[float]], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return read_series(expose(sums).decode(), name, *labels)


def test_a_counter_has_its_labels_and_a_total():
    sums = {(names.KEY_USES, "lab"): [2], (names.KEY_USES, "shop"): [0.0]}
    assert series(sums, "loan_key_uses_total", "key") == {("lab",): 2, ("shop",): 0}


@pytest.mark.parametrize(
    ("name", "together"),
    [(names.WORKERS, 6), (names.LOADED_AT, 1), (names.REGISTRY_SUCCESS, 3)],
    ids=["sum", "min", "max"],
)
def test_the_gauges_of_several_processes_are_one(name, together):
    assert series({(name,): [2, 1, 3]}, name) == {(): together}


@pytest.mark.parametrize(("name", "bounds"), [(names.SECONDS, BUCKETS), (names.SHADOW_DIFFERENCE, DIFFERENCES)])
def test_the_buckets_of_a_histogram_are_cumulative(name, bounds):
    labels = next(metric.labels for metric in METRICS if metric.name == name)
    sums = {(name, *labels): [*range(len(bounds) + 1), 0.5]}
    buckets = series(sums, f"{name}_bucket", *labels, "le")
    assert [le for (*_, le) in buckets] == [*map(str, bounds), "+Inf"]
    assert list(buckets.values()) == [number * (number + 1) / 2 for number in range(len(bounds) + 1)]
    assert series(sums, f"{name}_sum", *labels) == {labels: 0.5}


def test_every_metric_is_described_once_even_before_it_is_counted():
    helps = re.findall(r"^# HELP (\w+) .", expose({}).decode(), re.MULTILINE)
    names = [metric.name for metric in METRICS]
    assert [name.removesuffix("_total") for name in helps] == [*names, "loan_approval_build_info"]
    assert len(set(helps)) == len(helps)


def test_the_build_is_told_by_its_versions():
    labels = ("version", "revision", "python", "onnxruntime")
    text = expose({}, revision="abc123").decode()
    versions = (serve.__version__, "abc123", platform.python_version(), onnxruntime.__version__)
    assert read_series(text, "loan_approval_build_info", *labels) == {versions: 1}


def test_the_processes_are_those_that_were_named():
    sums = {(names.PROCESS, "worker 1"): [os.getpid()], (names.PROCESS, "parent"): [os.getppid()] * 2}
    assert series(sums, "process_open_fds", "process").keys() == {("worker 1",), ("parent",)}
    assert series(sums, "process", "process") == {}  # the numbers themselves are nobody's business


OPEN = "application/openmetrics-text"
OPENMETRICS = f"{OPEN}; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMETHEUS = f"{OPEN};version=1.0.0;q=0.6,{OPEN};version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        *[(accept, OPENMETRICS) for accept in (OPEN, PROMETHEUS, f"text/html, {OPEN.upper()}", f"{OPEN};version=abc")],
        *[(accept, TEXT) for accept in ("", "*/*", "text/plain", "text/plain;version=abc", "application/openmetrics")],
    ],
)
def test_a_scraper_gets_the_format_that_it_names(accept, content_type):
    assert choose_format(accept)[1] == content_type


def test_openmetrics_has_the_same_numbers_and_says_where_it_ends():
    sums = {
        (names.KEY_USES, "lab"): [2],
        (names.SECONDS, "/", "GET", "200"): [1] * (len(BUCKETS) + 2),
        (names.PROCESS, "worker 1"): [os.getpid()],
    }
    plain, text = expose(sums).decode(), expose(sums, encode=choose_format(OPEN)[0]).decode()
    assert text.endswith("# EOF\n")
    families = {family.name: family for family in openmetrics_families(text)}
    assert {sample.name for sample in families["loan_key_uses"].samples} == {"loan_key_uses_total"}
    assert families["process_cpu_seconds"].type == "counter"
    numbers = [(sample.name, sample.labels, sample.value) for each in families.values() for sample in each.samples]
    same = [(sample.name, sample.labels, sample.value) for each in text_families(plain) for sample in each.samples]
    measured = ("process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes")
    assert [each for each in numbers if each[0] not in measured] == [each for each in same if each[0] not in measured]
