"""`python -m tests.benchmarks.drift`: how often the drift report cries wolf, and how often it finds what changed.

Prints Markdown. A month is `--rows` applications. For loans, the reference is the data set and a month is simulated
anew; for boston, reference and month are both drawn with replacement from the rows there are, so that the two differ
as two samples of one population do. A month's result follows from its number alone.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import cast

import joblib
import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from tqdm import tqdm

from loan_approval.data.datasets import Dataset, load_dataset
from loan_approval.data.simulate import simulate
from loan_approval.drift.drift import compare, verdict
from loan_approval.evaluation.intervals import wilson_interval
from loan_approval.monitor.findings import refusal_findings, volume_findings
from loan_approval.monitor.window import Window
from loan_approval.records.day_files import DECISIONS
from serve.contract.contract import Contract
from serve.contract.feature import Feature

SHIFT = 0.3  # standard deviations
SPREAD = 1.5  # times the standard deviation
SHARE = 0.15  # of rows that take another value
MISSING = 0.10  # of cells that become unknown
UNIT = 1000
USUAL_FAULTS = 0.015  # share of applications refused for one fault
OTHERS, TIMES = 0.05, 4  # share of rows from another product, and how many times as large their number is
HEAD = ("data set", "month", "rows", "months", "drift found", "on the changed feature", "severe")


@dataclass(frozen=True)
class Month:
    """What the report said of one simulated month: its verdict, and whether it named the changed feature."""

    verdict: str
    named: bool


@cache
def population(dataset: str) -> Dataset:
    """Return a built-in data set."""
    return load_dataset(dataset)


def draw_month(dataset: str, rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a reference, and as many rows of the same population."""
    frame = population(dataset).frame
    if dataset == "loans":
        return frame, simulate(rows, int(rng.integers(2**62)))
    sizes = (len(frame), rows)
    reference, month = (frame.iloc[rng.integers(0, len(frame), size)].reset_index(drop=True) for size in sizes)
    return reference, month


def shift_mean(column: pd.Series, feature: Feature, rng: np.random.Generator, by: float = SHIFT) -> pd.Series:
    """Return a number column with its mean moved up by 0.3 standard deviations, within what the contract allows.

    A whole number is rounded by a coin, so that the mean moves as far; where few values leave room for it, by changing
    as many rows as it takes.
    """
    moved = column + by * column.std()
    if feature.type == "integer":
        moved = np.floor(moved + rng.random(len(column)))
    return moved.clip(feature.min, feature.max) if feature.max > 1 else _set_ones(column, by, rng)


def _set_ones(column: pd.Series, by: float, rng: np.random.Generator) -> pd.Series:
    share = min(1.0, by * column.std() / max((column == 0).mean(), 1e-9))
    return column.mask((column == 0) & (rng.random(len(column)) < share), 1.0)


def widen(column: pd.Series, feature: Feature, _rng: np.random.Generator) -> pd.Series:
    """Return a number column spread out about its mean."""
    wide = column.mean() + SPREAD * (column - column.mean())
    return (wide.round() if feature.type == "integer" else wide).clip(feature.min, feature.max)


def move_ranks(column: pd.Series, _feature: Feature, rng: np.random.Generator) -> pd.Series:
    """Return a column whose normal scores are moved by 0.3, ties apart by chance; its values are among those of before.

    The harder shift: nothing betrays it but how often each value occurs.
    """
    known = column.dropna()
    order = np.lexsort((rng.random(len(known)), known))
    scores = np.empty(len(known))
    scores[order] = ndtri((np.arange(len(known)) + 0.5) / len(known))
    moved = np.quantile(known, ndtr(scores + SHIFT), method="inverted_cdf")
    return column.where(column.isna(), pd.Series(moved, known.index))


def change_shares(column: pd.Series, _feature: Feature, rng: np.random.Generator) -> pd.Series:
    """Return a column of few values, some of whose commonest are now the second commonest."""
    first, second = column.value_counts().index[:2]
    return column.mask((column == first) & (rng.random(len(column)) < SHARE / (column == first).mean()), second)


def lose_cells(column: pd.Series, _feature: Feature, rng: np.random.Generator) -> pd.Series:
    """Return a column in which some cells are unknown."""
    return column.mask(rng.random(len(column)) < MISSING)


def change_unit(column: pd.Series, _feature: Feature, _rng: np.random.Generator) -> pd.Series:
    """Return a number column in thousands."""
    return column / UNIT


def mix_products(column: pd.Series, feature: Feature, rng: np.random.Generator) -> pd.Series:
    """Return a number column in which some rows are of another product, within what the contract allows."""
    moved = column.mask(rng.random(len(column)) < OTHERS, TIMES * column)
    return moved.clip(feature.min, feature.max)


def round_off(column: pd.Series, _feature: Feature, _rng: np.random.Generator) -> pd.Series:
    """Return a number column rounded to thousands."""
    return (column / UNIT).round() * UNIT


Change = Callable[[pd.Series, Feature, np.random.Generator], pd.Series]
CHANGES: dict[str, tuple[Change, Callable[[Feature], bool]]] = {
    f"one number's mean moved by {SHIFT} sd": (shift_mean, lambda f: not f.is_category),
    f"one number's normal scores moved by {SHIFT}": (move_ranks, lambda f: not f.is_category and f.max > 1),
    f"one number's sd times {SPREAD}": (widen, lambda f: not f.is_category and f.max > 30),
    f"{SHARE:.0%} of rows change value": (
        change_shares,
        lambda f: f.is_category or (f.max <= 30 and f.type == "integer"),
    ),
    f"{MISSING:.0%} of one feature's cells lost": (lose_cells, lambda f: f.missing),
    f"{OTHERS:.0%} of one number times {TIMES}": (mix_products, lambda f: not f.is_category and f.max >= 100_000),
    f"one number rounded to {UNIT:,}": (round_off, lambda f: not f.is_category and f.max >= 100_000),
    "one number in thousands": (change_unit, lambda f: f.type == "number"),
}
STABLE = "nothing changed"


def changeable(contract: Contract, kind: str) -> list[Feature]:
    """Return the scored features that a kind of change is about; none where a contract has no such feature."""
    _, applies = CHANGES[kind]
    return [feature for feature in contract.scored if applies(feature)]


def judge_month(dataset: str, kind: str, rows: int, number: int) -> Month:
    """Simulate one month, change one of its scored features (in turn), and report on it."""
    rng = np.random.default_rng([number, rows])
    contract = population(dataset).contract
    reference, month = draw_month(dataset, rows, rng)
    changed = ""
    if kind != STABLE:
        able = changeable(contract, kind)
        feature = able[number % len(able)]
        change, _ = CHANGES[kind]
        changed = feature.name
        month[changed] = change(month[changed], feature, rng)
    findings = compare(reference, month, contract)
    return Month(verdict(findings), any(f.level != "ok" and f.subject == changed for f in findings))


def judge_refusals(rows: int, now: float, number: int) -> bool:
    """Return whether refusals are a finding: five fields with 1.5 % of faults each, of which one has another share."""
    rng, shares = np.random.default_rng([number, rows]), np.r_[now, [USUAL_FAULTS] * 4]

    def count(applications: int, of_fields: np.ndarray) -> pd.DataFrame:
        counts = rng.binomial(applications, of_fields)
        return pd.DataFrame({"field": list("abcde"), "kind": "out_of_range", "count": counts})

    before, refused = count(4 * rows, np.full(5, USUAL_FAULTS)), count(rows, shares)
    decided = [applications - int(each["count"].sum()) for applications, each in ((4 * rows, before), (rows, refused))]
    window = SimpleNamespace(decisions=range(decided[1]), refusals=refused, earlier=(decided[0], before))
    return any(finding.level != "ok" for finding in refusal_findings(cast(Window, window)))


def judge_volume(a_day: float, times: float, number: int) -> bool:
    """Return whether the volume of a month is a finding, of so many times as many decisions a day as before.

    A day's number is Poisson's about a mean that a weekend halves and chance moves by a third (gamma).
    """
    rng = np.random.default_rng([number, round(a_day)])
    days = pd.date_range("2026-01-01", periods=60, tz="UTC")
    mean = a_day * np.where(days.day_of_week < 5, 1.0, 0.5) * np.where(np.arange(60) < 30, 1.0, times)
    counts = rng.poisson(mean * rng.gamma(9, 1 / 9, 60))
    month = np.repeat(days[30:] + pd.Timedelta("12h"), counts[30:])
    with TemporaryDirectory() as folder:
        (Path(folder) / DECISIONS / "2026-01-01").mkdir(parents=True)
        window = SimpleNamespace(
            decisions=pd.DataFrame({"time": month}),
            earlier=(int(counts[:30].sum()), None),
            reference=SimpleNamespace(sha256="of the training data"),
            **{"begin": days[30], "end": days[-1] + pd.Timedelta("1D"), "folder": Path(folder)},
        )
        return any(finding.level != "ok" for finding in volume_findings(cast(Window, window), now=window.end))


def judge_months(dataset: str, kind: str, rows: int, months: int, quiet: bool = False) -> list[Month]:
    """Return what the report said of months 0 to `months` - 1, on every core."""
    population(dataset)  # made before the processes look for it
    with ProcessPoolExecutor(joblib.cpu_count()) as pool:
        found = pool.map(partial(judge_month, dataset, kind, rows), range(months), chunksize=10)
        return list(tqdm(found, total=months, desc=f"{dataset}, {kind}", disable=quiet))


def row_of(dataset: str, kind: str, rows: int, months: list[Month]) -> str:
    """Return a line of the table."""
    found = sum(month.verdict != "stable" for month in months)
    low, high = wilson_interval(found, len(months))
    named = f"{np.mean([month.named for month in months]):.1%}" if kind != STABLE else ""
    severe = f"{np.mean([month.verdict == 'severe' for month in months]):.1%}"
    share = f"{found / len(months):.1%} [{low:.1%}, {high:.1%}]"
    return f"| {' | '.join(map(str, (dataset, kind, f'{rows:,}', len(months), share, named, severe)))} |"


def main() -> None:
    """Simulate every kind of month for both data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=400, help="of each kind")
    parser.add_argument("--rows", type=int, default=1000, help="of a month")
    parser.add_argument("--datasets", nargs="+", default=["loans", "boston"])
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for rows, now in product((300, options.rows, 10_000), (USUAL_FAULTS, 0.03, 0.06)):
        found = [Month("drift" if judge_refusals(rows, now, k) else "stable", True) for k in range(options.months)]
        kind = f"refused for one fault: {now:.1%}, before {USUAL_FAULTS:.1%}"
        print(row_of("any", kind, rows, found), flush=True)
    for a_day, times in product((5, 100), (1.0, 0.7, 0.4, 2.5)):
        found = [Month("drift" if judge_volume(a_day, times, k) else "stable", True) for k in range(options.months)]
        print(row_of("any", f"{times:g} times as many decisions a day as {a_day:g}", 30 * a_day, found), flush=True)
    for dataset in options.datasets:
        for rows in (100, options.rows, 10_000):
            print(row_of(dataset, STABLE, rows, judge_months(dataset, STABLE, rows, options.months)), flush=True)
        for kind in (kind for kind in CHANGES if changeable(population(dataset).contract, kind)):
            months = judge_months(dataset, kind, options.rows, options.months)
            print(row_of(dataset, kind, options.rows, months), flush=True)


if __name__ == "__main__":
    main()
