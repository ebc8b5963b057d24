"""How often the intervals of 03_validate's metrics cover. See `intervals`."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from scipy.special import expit

from loan_approval.evaluation.intervals import mean_interval, wilson_interval
from loan_approval.evaluation.metrics import brier_interval, evaluate, metric_intervals, name_measures
from loan_approval.evaluation.ranking import gains_table

SETS = [(60, 0.0), (200, 0.0), (200, -3.0), (1000, 0.0), (1000, -3.0), (4000, 0.0)]  # rows, middle of the log-odds
MANY = 1_000_000  # rows that stand for the population
GAIN = "gain of the lowest tenth"
METRICS = ("accuracy", "f1", "pr_auc", "log_loss", "brier", "approval_rate", GAIN)  # the AUC has rows of its own


def draw(rows: int, middle: float, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, right probabilities, and codes decided at the median."""
    rng = np.random.default_rng([number, rows])
    p = expit(rng.normal(middle, 1.6, rows))
    return (rng.random(rows) < p).astype(int), p, (p >= expit(middle)).astype(int)


@cache
def population(middle: float) -> dict[str, float]:
    """Return the metrics of all rows."""
    y, p, decided = draw(MANY, middle, 0)
    return evaluate(y, p, decided) | {GAIN: float(gains_table(y, p)["gain"][0])}


def cover_metrics(rows: int, middle: float, number: int) -> dict[str, bool]:
    """Return of each metric whether its interval covers the population's."""
    y, p, decided = draw(rows, middle, number + 1)
    lowest = gains_table(y, p).iloc[0]
    found = metric_intervals(y, p, decided) | {GAIN: {"low": lowest["gain_low"], "high": lowest["gain_high"]}}
    truth = population(middle)
    return {name: found[name]["low"] <= truth[name] <= found[name]["high"] for name in METRICS}


def copies(units: int, rng: np.random.Generator) -> np.ndarray:
    """Return the unit of each row: most have one to five rows, some many more."""
    return np.repeat(np.arange(units), rng.geometric(1 / 3, units))


def cover_copied_brier(units: int, number: int) -> bool:
    """Return whether the Brier score's interval covers it where rows are copies of few units, some of many rows."""
    y, p, _ = draw(units, 0.0, number + 1)
    unit = copies(units, np.random.default_rng([number, units]))
    found = brier_interval(y[unit], p[unit], unit)
    return found.low <= population(0.0)["brier"] <= found.high


def cover_copied_share(units: int, share: float, number: int) -> bool:
    """Return whether a share's interval covers it where rows are copies of such units."""
    rng = np.random.default_rng([number, units])
    unit = copies(units, rng)
    found = mean_interval((rng.random(units) < share).astype(float)[unit], {1.0}, unit)
    return found.low <= share <= found.high


def simulate(simulations: int) -> Iterator[str]:
    """Yield the lines of the table."""
    for rows, middle in SETS:
        share = draw(MANY, middle, 0)[0].mean()
        covered = [cover_metrics(rows, middle, number) for number in range(simulations)]
        for name in METRICS:
            count = sum(each[name] for each in covered)
            low, high = wilson_interval(count, simulations)
            (title,) = name_measures({name: None})
            found = f"{count / simulations:.1%} [{low:.1%}, {high:.1%}]"
            yield f"| {title} | {rows:,} | {share:.2g} | {population(middle)[name]:.3g} | {simulations:,} | {found} |"
