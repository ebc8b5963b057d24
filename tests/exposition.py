"""Prometheus' text format, read back with prometheus_client's own parser."""

from prometheus_client.parser import text_string_to_metric_families


def read_series(text: str, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return a series' samples by the values of `labels`, in that order; they must be all that it has."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {}
    for sample in samples:
        if sample.name == name:
            assert set(sample.labels) == set(labels), sample
            found[tuple(sample.labels[label] for label in labels)] = sample.value
    return found
