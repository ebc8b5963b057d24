"""The metrics, and their text for Prometheus."""

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
from serve.metrics import names
from serve.metrics.counters import Key
from serve.metrics.processes import collect_processes

Encode = Callable[[SimpleNamespace], bytes]


@dataclass(frozen=True)
class Metric:
    """One metric; `together` makes one number of the gauges of several processes."""

    kind: type[Family]
    name: str
    text: str
    labels: tuple[str, ...] = ()
    together: Callable[[Iterable[float]], float] = sum
    buckets: tuple[float, ...] = names.BUCKETS


_PAIR = ("version", "champion")  # the challenger's version, and that of the model which answered
_Count, _Gauge, _Histogram = CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
METRICS = (
    Metric(_Histogram, names.SECONDS, "From a whole request to its answer", ("route", "method", "status")),
    Metric(_Count, names.REJECTED, "Requests rejected before any route", ("status",)),
    Metric(_Count, names.DECISIONS, "Decisions", ("label", "version")),
    Metric(_Count, names.SWAPS, "New models taken and refused, by each worker", ("result",)),
    Metric(_Count, names.KEY_USES, "Requests with a valid key, by its name", ("key",)),
    Metric(
        _Count, names.LOG_RECORDS, "Decisions logged, dropped, and refused as they could not be logged", ("result",)
    ),
    Metric(_Count, names.STARTS, "Workers started"),
    Metric(_Gauge, names.WORKERS, "Workers that run"),
    Metric(_Gauge, names.CONNECTIONS, "Open connections"),
    Metric(_Gauge, names.IN_FLIGHT, "Requests waiting or in the application"),
    Metric(_Gauge, names.MODEL_WORKERS, "Workers that answer with it", ("version", "sha256")),
    Metric(_Gauge, names.LOADED_AT, "When the oldest model that answers was loaded", together=min),
    Metric(_Gauge, names.REGISTRY_SUCCESS, "When store and registry last agreed, 0 before they did", together=max),
    Metric(_Gauge, names.REGISTRY_FAILURES, "Attempts to follow the registry that failed, in a row", together=max),
    Metric(_Count, names.SHADOW_SCORED, "Answered applications that the challenger scored too", _PAIR),
    Metric(_Count, names.SHADOW_DROPPED, "Answered applications that it did not score", ("reason",)),
    Metric(_Count, names.SHADOW_FLIPS, "Of these, those it decides otherwise, by its decision", (*_PAIR, "decision")),
    Metric(
        _Histogram,
        names.SHADOW_DIFFERENCE,
        "How far its probability of approval lies above or below",
        (*_PAIR, "side"),
        buckets=names.DIFFERENCES,
    ),
    Metric(
        _Count, names.SHADOW_UNLOGGED, "Applications that the challenger scored, and whose line in the log was lost"
    ),
    Metric(_Count, names.SHADOW_SWAPS, "New challengers taken and refused, by each worker", ("result",)),
    Metric(
        _Gauge, names.SHADOW_REGISTRY_SUCCESS, "When the challenger was last as its alias says, 0 before", together=max
    ),
    Metric(_Gauge, names.SHADOW_REGISTRY_FAILURES, "Attempts to follow its alias that failed, in a row", together=max),
    Metric(_Gauge, names.SHADOW_WORKERS, "Workers in which this challenger scores", ("version", "sha256")),
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
        yield from collect_processes({key[1]: int(pids[0]) for key, pids in sums.items() if key[0] == names.PROCESS})
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
