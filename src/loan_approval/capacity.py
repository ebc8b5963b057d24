"""What a load takes in cores, memory, network, disk and money, from what was measured for one core.

`python -m loan_approval capacity` prints it as Markdown; `--help` names every figure that can be replaced by one's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any

SECONDS_A_DAY = 86_400
HOURS_A_MONTH = 730


def _figure(default: float, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Figures:
    """What the computation starts from; each default is measured (README, `make bench`, `make bench-score`) or, where
    it says so, assumed.
    """

    requests_a_core: float = _figure(11_400, "single predictions a second of one worker on one core, boosting")
    rows_a_core: float = _figure(320_000, "rows a second of batch scoring on one core, boosting, Parquet to Parquet")
    worker_mb: float = _figure(105, "resident memory of a server with one worker, MB")
    batch_mb: float = _figure(200, "resident memory of a batch process, MB")
    request_bytes: float = _figure(253, "a request on the wire, headers included, without TCP")
    answer_bytes: float = _figure(308, "an answer on the wire, headers included, without TCP")
    log_bytes: float = _figure(652, "a line of the prediction log")
    input_row_bytes: float = _figure(7.2, "an input row in Parquet")
    output_row_bytes: float = _figure(8.7, "an output row in Parquet")
    busy: float = _figure(0.5, "share of a core to plan with; the rest is for peaks and a lost zone (assumed)")
    cores_a_machine: float = _figure(8, "cores of one machine (assumed)")
    core_hour: float = _figure(0.04, "money for one core and its memory for an hour (assumed; put in yours)")
    gb_month: float = _figure(0.02, "money for a GB of object storage for a month (assumed; put in yours)")
    kept_days: float = _figure(90, "days that the prediction log is kept (assumed)")
    log_compression: float = _figure(8, "how much smaller the log is as compressed Parquet (assumed)")
    night_hours: float = _figure(8, "hours of a night (assumed)")
    poll_seconds: float = _figure(10, "between two looks of a replica at the registry")


@dataclass(frozen=True)
class Need:
    """What one load takes. Money a month; network both ways; log a day, before compression."""

    load: str
    cores: int
    machines: int
    memory_gb: float
    network_mb_s: float
    log_gb_day: float
    registry_polls_s: float
    money_month: float


def serve_load(rate: float, figures: Figures) -> Need:
    """Return what so many single predictions a second take, all day."""
    cores = max(2, ceil(rate / (figures.requests_a_core * figures.busy)))  # two: one may be lost
    log_gb_day = rate * figures.log_bytes * SECONDS_A_DAY / 1e9
    stored_gb = log_gb_day * figures.kept_days / figures.log_compression
    return Need(
        load=f"{rate:,.0f} requests a second",
        cores=cores,
        machines=max(2, ceil(cores / figures.cores_a_machine)),
        memory_gb=cores * figures.worker_mb / 1e3,
        network_mb_s=rate * (figures.request_bytes + figures.answer_bytes) / 1e6,
        log_gb_day=log_gb_day,
        registry_polls_s=max(2, ceil(cores / figures.cores_a_machine)) / figures.poll_seconds,
        money_month=cores * figures.core_hour * HOURS_A_MONTH + stored_gb * figures.gb_month,
    )


def batch_load(rows: float, figures: Figures) -> Need:
    """Return what so many rows a night take."""
    seconds = figures.night_hours * 3600
    cores = ceil(rows / seconds / (figures.rows_a_core * figures.busy))
    per_row = figures.input_row_bytes + figures.output_row_bytes
    return Need(
        load=f"{rows:,.0f} rows a night",
        cores=cores,
        machines=ceil(cores / figures.cores_a_machine),
        memory_gb=cores * figures.batch_mb / 1e3,
        network_mb_s=rows / seconds * per_row / 1e6,
        log_gb_day=rows * figures.output_row_bytes / 1e9,
        registry_polls_s=0.0,
        money_month=cores * figures.core_hour * figures.night_hours * 30,
    )


def describe(figures: Figures) -> str:
    """Return the table for the loads of the capacity page, in Markdown."""
    needs = [serve_load(rate, figures) for rate in (1e3, 1e5, 1e7)] + [batch_load(1e10, figures)]
    columns = ("load", "cores", "machines", "memory GB", "network MB/s", "log or output GB/day", "registry polls/s")
    lines = [f"| {' | '.join(columns)} | money/month |", "| --- |" + " ---: |" * 7]
    for need in needs:
        cells = (
            *(f"{need.cores:,}", f"{need.machines:,}", f"{need.memory_gb:,.1f}", f"{need.network_mb_s:,.1f}"),
            *(f"{need.log_gb_day:,.0f}", f"{need.registry_polls_s:,.1f}", f"{need.money_month:,.0f}"),
        )
        lines.append(f"| {need.load} | {' | '.join(cells)} |")
    return "\n".join(lines)


def replace_figures(given: Mapping[str, float | None]) -> Figures:
    """Return the figures with those replaced that are given."""
    return Figures(**{name: value for name, value in given.items() if value is not None})


def meanings() -> dict[str, tuple[float, str]]:
    """Return default and meaning of each figure by its name."""
    return {each.name: (each.default, each.metadata["meaning"]) for each in fields(Figures)}
