"""The metrics by name, and their text for Prometheus."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import SimpleNamespace

import onnxruntime
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics

from serve import __version__
from serve.metrics.counters import Key
from serve.metrics.processes import collect_processes

Encode = Callable[[SimpleNamespace], bytes]
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
DIFFERENCES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)  # of probabilities


@dataclass(frozen=True)
class Metric:
    """One metric; `together` makes one number of the gauges of several processes."""

    kind: type[Family]
    name: str
    text: str
    labels: tuple[str, ...] = ()
    together: Callable[[Iterable[float]], float] = sum
    buckets: tuple[float, ...] = BUCKETS


SECONDS, REJECTED, DECISIONS = "loan_request_seconds", "loan_rejected", "loan_decisions"
SWAPS, KEY_USES, STARTS = "loan_model_swaps", "loan_key_uses", "loan_worker_starts"
PROCESS = "process"  # the number of a process by its name: not shown, but read for what it takes
LOG_RECORDS = "loan_prediction_log_records"
WORKERS, CONNECTIONS, IN_FLIGHT = "loan_workers", "loan_connections", "loan_requests_in_flight"
MODEL_WORKERS, LOADED_AT = "loan_model_workers", "loan_model_loaded_timestamp_seconds"
REGISTRY_SUCCESS, REGISTRY_FAILURES = "loan_registry_last_success_timestamp_seconds", "loan_registry_failures"
SHADOW_SCORED, SHADOW_DROPPED, SHADOW_FLIPS = "loan_shadow_scored", "loan_shadow_dropped", "loan_shadow_flips"
SHADOW_DIFFERENCE, SHADOW_UNLOGGED = "loan_shadow_difference", "loan_shadow_unlogged"
SHADOW_REGISTRY_SUCCESS = "loan_shadow_registry_last_success_timestamp_seconds"
SHADOW_REGISTRY_FAILURES = "loan_shadow_registry_failures"
SHADOW_SWAPS, SHADOW_WORKERS = "loan_shadow_swaps", "loan_shadow_workers"
_PAIR = ("version", "champion")  # the challenger's version, and that of the model which answered
_Count, _Gauge, _Histogram = CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
METRICS = (
    Metric(_Histogram, SECONDS, "From a whole request to its answer", ("route", "method", "status")),
    Metric(_Count, REJECTED, "Requests rejected before any route", ("status",)),
    Metric(_Count, DECISIONS, "Decisions", ("label", "version")),
    Metric(_Count, SWAPS, "New models taken and refused, by each worker", ("result",)),
    Metric(_Count, KEY_USES, "Requests with a valid key, by its name", ("key",)),
    Metric(_Count, LOG_RECORDS, "Decisions logged, dropped, and refused as they could not be logged", ("result",)),
    Metric(_Count, STARTS, "Workers started"),
    Metric(_Gauge, WORKERS, "Workers that run"),
    Metric(_Gauge, CONNECTIONS, "Open connections"),
    Metric(_Gauge, IN_FLIGHT, "Requests waiting or in the application"),
    Metric(_Gauge, MODEL_WORKERS, "Workers that answer with it", ("version", "sha256")),
    Metric(_Gauge, LOADED_AT, "When the oldest model that answers was loaded", together=min),
    Metric(_Gauge, REGISTRY_SUCCESS, "When store and registry last agreed, 0 before they did", together=max),
    Metric(_Gauge, REGISTRY_FAILURES, "Attempts to follow the registry that failed, in a row", together=max),
    Metric(_Count, SHADOW_SCORED, "Answered applications that the challenger scored too", _PAIR),
    Metric(_Count, SHADOW_DROPPED, "Answered applications that it did not score", ("reason",)),
    Metric(_Count, SHADOW_FLIPS, "Of these, those it decides otherwise, by its decision", (*_PAIR, "decision")),
    Metric(
        _Histogram,
        SHADOW_DIFFERENCE,
        "How far its probability of approval lies above or below",
        (*_PAIR, "side"),
        buckets=DIFFERENCES,
    ),
    Metric(_Count, SHADOW_UNLOGGED, "Applications that the challenger scored, and whose line in the log was lost"),
    Metric(_Count, SHADOW_SWAPS, "New challengers taken and refused, by each worker", ("result",)),
    Metric(_Gauge, SHADOW_REGISTRY_SUCCESS, "When the challenger was last as its alias says, 0 before", together=max),
    Metric(_Gauge, SHADOW_REGISTRY_FAILURES, "Attempts to follow its alias that failed, in a row", together=max),
    Metric(_Gauge, SHADOW_WORKERS, "Workers in which this challenger scores", ("version", "sha256")),
)


def choose_format(accept: str) -> tuple[Encode, str]:
    """Return how to write the metrics for a scraper that accepts this, and their content type.

    That is OpenMetrics if it is named, with whatever weight, else Prometheus' text format.
    """
    media_types = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    if "application/openmetrics-text" in media_types:
        return openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest, CONTENT_TYPE_PLAIN_0_0_4


def expose(sums: Mapping[Key, Sequence[float]], revision: str = "", encode: Encode = generate_latest) -> bytes:
    """Return the text of what `Tallies.together` returns, of the processes named in it, and of this build."""

    def collect() -> Iterator[Family]:
        yield from (_make_family(metric, sums) for metric in METRICS)
        yield from collect_processes({key[1]: int(pids[0]) for key, pids in sums.items() if key[0] == PROCESS})
        versions = {"version": __version__, "revision": revision, "python": platform.python_version()}
        versions["onnxruntime"] = onnxruntime.__version__
        yield InfoMetricFamily("loan_approval_build", "What this server was built from", versions)

    return encode(SimpleNamespace(collect=collect))


def _make_family(metric: Metric, sums: Mapping[Key, Sequence[float]]) -> Family:
    family = metric.kind(metric.name, metric.text, labels=metric.labels)
    for (name, *labels), numbers in sums.items():
        if name != metric.name:
            continue
        if metric.kind is _Histogram:
            *counts, total = numbers
            bounds = [*map(str, metric.buckets), "+Inf"]
            family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
        else:  # a counter has one number, a gauge one of each process
            family.add_metric(labels, metric.together(numbers))
    return family
