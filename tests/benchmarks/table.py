"""From samples to Markdown: medians over the rounds, and ratios to the usual design."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.load import Batch, Point
from tests.benchmarks.servers import Server

CONNECTIONS = (1, 16, 64)
MIDDLE = 16  # the load that CPU, tail and spread are told for
BUSY = 0.9  # of its core, when a server is what limits the rate


@dataclass(frozen=True)
class Sample:
    """One round of one server; `problem` says why it is not whole. Memory in MB, times in seconds."""

    first_answer: float = float("nan")
    points: Mapping[int, Point] = field(default_factory=dict)
    batches: Mapping[str, Batch | str] = field(default_factory=dict)
    rss: float = float("nan")
    pss: float = float("nan")
    problem: str = ""


Samples = Mapping[Server, Sequence[Sample]]


def median(values: Iterable[float]) -> float:
    """Return the median, NaN of nothing."""
    given = list(values)
    return statistics.median(given) if given else float("nan")


def at(samples: Sequence[Sample], connections: int, read: Callable[[Point], float]) -> float:
    """Return the median of one number under one load."""
    return median(read(sample.points[connections]) for sample in samples if connections in sample.points)


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many digits that count; a dash for NaN."""
    if value != value:
        return "–"
    whole = max(0, digits - 1 - _exponent(value))
    return f"{round(value, digits - 1 - _exponent(value)):,.{whole}f}"


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2]) if value else 0


def speed(samples: Sequence[Sample], connections: int) -> float:
    """Return the median requests a second under one load."""
    return at(samples, connections, lambda point: point.per_second)


def singles_table(samples: Samples, baselines: Mapping[str, Mapping[str, Server]]) -> str:
    """Return the table of single rows.

    baselines: by name and model, the server whose ratio is 1; CPU is compared with the first one's.
    """
    loads = " / ".join(map(str, CONNECTIONS))
    head = ["server", *(f"req/s, {n} conn." for n in CONNECTIONS), *(f"x {name}, {loads}" for name in baselines)]
    head += ["CPU us/request", "x less CPU", "core busy", "p99 ms", "RSS MB", "PSS MB", "first answer s", "spread"]
    rows = [
        _single(server, rounds, [samples.get(of_model.get(server.model), ()) for of_model in baselines.values()])
        for server, rounds in samples.items()
    ]
    return markdown([*head, "failed"], rows)


def _single(server: Server, rounds: Sequence[Sample], baselines: Sequence[Sequence[Sample]]) -> list[str]:
    def cpu(samples: Sequence[Sample]) -> float:
        return at(samples, MIDDLE, lambda point: point.cpu_us)

    speeds = [sample.points[MIDDLE].per_second for sample in rounds if MIDDLE in sample.points]
    spread = (max(speeds) - min(speeds)) / median(speeds) if speeds else float("nan")
    return [
        server.name,
        *(number(speed(rounds, n)) for n in CONNECTIONS),
        *(" / ".join(number(speed(rounds, n) / speed(usual, n), 2) for n in CONNECTIONS) for usual in baselines),
        number(cpu(rounds)),
        number(cpu(baselines[0]) / cpu(rounds), 2),
        number(100 * at(rounds, MIDDLE, lambda point: point.busy), 2) + " %",
        number(at(rounds, MIDDLE, lambda point: point.p99_ms), 2),
        *(number(_last(rounds, name)) for name in ("rss", "pss")),
        number(median(sample.first_answer for sample in rounds), 2),
        number(100 * spread, 2) + " %",
        _failures(rounds),
    ]


def _last(rounds: Sequence[Sample], name: str) -> float:
    """The last round's: it went on until enough requests were served."""
    return getattr(rounds[-1], name) if rounds else float("nan")


def _failures(rounds: Sequence[Sample]) -> str:
    failed = sum(point.failed for sample in rounds for point in sample.points.values())
    broken = sum(bool(sample.problem) for sample in rounds)
    words = [f"**{failed:,} answers**"] if failed else []
    words += [f"**{broken} of {len(rounds)} rounds**"] if broken else []
    return ", ".join(words) or "0"


def disturbances(samples: Samples) -> list[str]:
    """Return a sentence about the servers that did not get, or need, their core; none when there are none."""
    idle = [server.name for server, rounds in samples.items() if at(rounds, MIDDLE, lambda p: p.busy) < BUSY]
    if not idle:
        return []
    return [
        f"Less than {BUSY:.0%} of a core busy at {MIDDLE} connections: {'; '.join(idle)}. Something else ran there, "
        "or the load generator was the limit: their requests a second say little, CPU a request says more."
    ]


def batches_table(samples: Samples, floors: Sequence[Mapping[str, Batch]], baseline: tuple[str, str]) -> str:
    """Return the table of batches. `floors`: by body, a round each. `baseline`: server and body of 1."""
    measured = {
        (server.name, wire.name): [sample.batches[wire.name] for sample in rounds if wire.name in sample.batches]
        for server, rounds in samples.items()
        for wire in server.batches
    }
    middles = {key: median(b.rows_per_second for b in every if isinstance(b, Batch)) for key, every in measured.items()}
    usual = middles.get(baseline, float("nan"))
    rows = []
    for (name, body), every in measured.items():
        middle = middles[name, body]
        floor = median(floor[body].rows_per_second for floor in floors if body in floor)
        cpu = median(batch.cpu_us_a_row for batch in every if isinstance(batch, Batch))
        problem = next((batch for batch in every if isinstance(batch, str)), "")
        rows.append([name, body, number(middle), number(middle / usual, 2), number(cpu, 2), number(middle / floor, 2)])
        rows[-1].append(f"**{problem.splitlines()[0][:80]}**" if problem else "0")
    for body in dict.fromkeys(body for floor in floors for body in floor):
        middle = median(floor[body].rows_per_second for floor in floors)
        cpu = median(floor[body].cpu_us_a_row for floor in floors)
        rows.append(
            ["the floor, in the process", body, number(middle), number(middle / usual, 2), number(cpu, 2), "1", ""]
        )
    head = ["server", "body", "rows/s", f"x {baseline[1]}", "CPU us/row", "of the floor", "failed"]
    return markdown(head, rows)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
