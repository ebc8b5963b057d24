"""`python -m tests.benchmarks.intervals`: how often each interval of the project covers the truth, by simulation.

Prints Markdown, with a second table of thresholds (`thresholds`). A simulation follows from its number alone.
Nominal: 95 %.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import chain

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import norm

from loan_approval.drift.statistics import measure_distance, quantile_edges
from loan_approval.evaluation.auc import auc_interval
from loan_approval.evaluation.comparison import ERROR, cost_saved
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.fairness import rate_gap
from loan_approval.evaluation.intervals import wilson_interval
from loan_approval.evaluation.ranking import distance_at
from loan_approval.evaluation.rates import FOUR_FIFTHS, judge_four_fifths, rate_difference, rate_ratio
from loan_approval.evaluation.reliability import measure_reliability
from tests.benchmarks import gains, metrics, thresholds

SIMULATED_AUCS = [
    *((60, 0.5, 0.75), (60, 0.5, 0.95), (60, 0.1, 0.9), (200, 0.05, 0.8), (200, 0.05, 0.95)),
    *((1000, 0.02, 0.9), (1000, 0.5, 0.7), (10_000, 0.02, 0.8)),
]
RATES = [(60, 0.6, 0.6), (95, 0.5, 0.8), (200, 0.1, 0.2), (1000, 0.6, 0.6)]
SMALL_GROUPS = [(40, 0.98), (300, 0.98), (60, 0.1)]  # rows and rate of groups beside one TIMES as large
TIMES = 50
WORSE_MODELS = [(380, 10.0, 0.02), (380, 1.0, 0.02), (4000, 100.0, 0.2), (4000, 1.0, 0.02)]
MONTHS = [
    *((500, 100, 0.0), (500, 100, 0.3), (4000, 1000, 0.0), (4000, 1000, 0.3), (4000, 1000, 1.0)),
    (4000, 10_000, 0.3),
]  # rows of the reference and of the month, and by how many standard deviations its mean moved
SLOW = 5  # simulations of a bootstrap are so many times fewer
HEAD = ("interval", "rows", "share of the rarer label", "truth", "simulations", "covered [95 % interval]")


def cover_auc(rows: int, share: float, auc: float, number: int, *, spread: float = 1.0) -> bool:
    """Return whether the interval of normal scores covers their AUC; spread: standard deviation of the rarer label."""
    rng = np.random.default_rng([number, rows])
    ones = max(2, round(rows * share))
    y = np.arange(rows) < ones
    moved = spread * rng.normal(size=rows) + np.sqrt(1 + spread**2) * ndtri(auc)
    found = auc_interval(y.astype(int), np.where(y, moved, rng.normal(size=rows)))
    return found.low <= auc <= found.high


def cover_copied_auc(rows: int, share: float, auc: float, number: int) -> bool:
    """Return the same where each row stands one to three times."""
    rng = np.random.default_rng([number, rows, 1])
    ones = max(2, round(rows * share))
    y = (np.arange(rows) < ones).astype(int)
    copies = np.repeat(np.arange(rows), rng.integers(1, 4, rows))
    p = rng.normal(size=rows) + np.sqrt(2) * ndtri(auc) * y
    found = auc_interval(y[copies], p[copies], copies)
    return found.low <= auc <= found.high


def passes_though_worse(rows: int, approval: float, margin: float, number: int) -> bool:
    """Return whether a model that costs just more than the margin is called not worse; rare flips, dear approvals."""
    rng = np.random.default_rng([number, rows])
    y = (rng.random(rows) > 0.3).astype(int)
    old = np.where(rng.random(rows) < 0.9, y, 1 - y)
    wrong = (y == 0) & (old == 0)  # 27 % of the rows; approving some raises the costs
    new = np.where(wrong & (rng.random(rows) < 1.02 * margin / approval / 0.27), 1, old)
    return cost_saved(y, new, old, Costs(approval, 1.0), None).low >= -margin


def any_passes(challengers: int, rows: int, number: int) -> bool:
    """Return whether any of several challengers, each 2 % worse than the margin, is called not worse."""
    rng = np.random.default_rng([number, rows, challengers])
    y = (rng.random(rows) > 0.3).astype(int)
    old = np.where(rng.random(rows) < 0.9, y, 1 - y)
    flips = (rng.random((challengers, rows)) < 1.02 * 0.02 / 0.27) & (y == 0) & (old == 0)
    saved = [cost_saved(y, np.where(flip, 1, old), old, Costs(1.0, 1.0), None, ERROR / challengers) for flip in flips]
    return any(each.low >= -0.02 for each in saved)


def cover_ratio(rows: int, rate: float, of_reference: float, number: int, times: int = 1) -> bool:
    """Return whether the interval covers the ratio of two groups' rates; times: of its rows, the reference has."""
    group, reference = _draw_rates((rows, times * rows), (rate, of_reference), number)
    found = rate_ratio(group, reference)
    return found is not None and found.low <= rate / of_reference <= found.high


def cover_difference(rows: int, rate: float, of_reference: float, number: int) -> bool:
    """Return whether the interval covers the difference of two groups' rates."""
    found = rate_difference(*_draw_rates(rows, (rate, of_reference), number))
    return found.low <= rate - of_reference <= found.high


def calls_wrongly(groups: int, rows: int, rate: float, number: int) -> bool:
    """Return whether any of several equal groups is called below four fifths of the first."""
    reference, *others = _draw_rates(rows, (rate,) * groups, number)
    return any(judge_four_fifths(group, reference, groups - 1) == "below four fifths" for group in others)


def calls_at_the_bound(groups: int, rows: int, rate: float, number: int, times: int = 1) -> bool:
    """Return whether any of several groups with exactly four fifths of the first's rate is called either way.

    times: of the rows of another group, the first has.
    """
    rates = (rate, *[FOUR_FIFTHS * rate] * (groups - 1))
    reference, *others = _draw_rates((times * rows, *[rows] * (groups - 1)), rates, number)
    return any(judge_four_fifths(group, reference, groups - 1) != "unsure" for group in others)


def cover_gap(groups: int, rows: int, rate: float, number: int) -> bool:
    """Return whether the interval of the largest difference from the first of several equal groups holds none."""
    approved = np.random.default_rng([number, rows]).random(groups * rows) < rate
    codes = np.repeat(np.arange(groups), rows)
    gap = rate_gap(codes, approved.astype(int), range(groups), np.arange(groups * rows))
    return gap is not None and gap.low <= 0 <= gap.high


def cover_stability(rows: int, of_month: int, moved: float, number: int) -> bool:
    """Return whether the interval covers the stability index of a column moved by so many standard deviations."""
    rng = np.random.default_rng([number, rows, of_month])
    reference, month = rng.normal(size=rows), rng.normal(moved, size=of_month)
    ends = np.concatenate([[-np.inf], quantile_edges(reference), [np.inf]])
    before, now = np.diff(norm.cdf(ends)), np.diff(norm.cdf(ends - moved))
    low, high = measure_distance(reference, month).psi_interval
    return low <= np.sum((now - before) * np.log(now / before)) <= high


def calls_right_probabilities_wrong(rows: int, middle: float, number: int) -> bool:
    """Return whether probabilities that are right are said to be further off than chance explains."""
    rng = np.random.default_rng([number, rows])
    p = expit(rng.normal(middle, 1.6, rows))
    return measure_reliability((rng.random(rows) < p).astype(int), p, number).ece.low > 0


def _draw_rates(rows: int | tuple[int, ...], rates: tuple[float, ...], number: int) -> list[tuple[int, int]]:
    sizes = np.broadcast_to(rows, len(rates))
    counts = np.random.default_rng([number, sizes.min()]).binomial(sizes, rates)
    return list(zip(counts.tolist(), sizes.tolist(), strict=True))


def cover_distance(rows: int, number: int) -> bool:
    """Return whether the interval covers the KS distance at 0.5 of y = 1 with probability p, p uniform: 0.5."""
    rng = np.random.default_rng([number, rows])
    p = rng.random(rows)
    found = distance_at((rng.random(rows) < p).astype(int), p, 0.5)
    return found.low <= 0.5 <= found.high


def cover_share(rows: int, share: float, number: int) -> bool:
    """Return whether Wilson's interval covers a share."""
    low, high = wilson_interval(int(np.random.default_rng([number, rows]).binomial(rows, share)), rows)
    return low <= share <= high


def list_rows(simulations: int) -> list[gains.Row]:
    """Return the rows of the table, each with what simulates it."""
    covers: list[gains.Row] = []
    for cell in SIMULATED_AUCS:
        covers.append(("AUC", *cell, simulations, partial(cover_auc, *cell)))
        wide = partial(cover_auc, *cell, spread=2.0)
        covers.append(("AUC, rarer label twice as spread", *cell, simulations, wide))
        covers.append(("AUC, rows 1 to 3 times", *cell, simulations, partial(cover_copied_auc, *cell)))
    for rows in (60, 200, 1000):
        covers.append(("KS distance at a given score", rows, 0.5, 0.5, simulations, partial(cover_distance, rows)))
        covers.append(("share", rows, "", 0.05, simulations, partial(cover_share, rows, 0.05)))
    for rows, rate, reference in RATES:
        cell = (rows, rate, reference)
        covers.append(("ratio of rates", rows, rate, rate / reference, simulations, partial(cover_ratio, *cell)))
        difference = partial(cover_difference, *cell)
        covers.append(("difference of rates", rows, rate, rate - reference, simulations, difference))
    for rows, rate in SMALL_GROUPS:
        name = f"ratio of rates, reference of {TIMES * rows:,} rows"
        covers.append((name, rows, rate, 1, simulations, partial(cover_ratio, rows, rate, rate, times=TIMES)))
    for groups, rows in ((2, 30), (4, 95), (8, 1000)):
        name = f"{groups} equal groups: any called below four fifths (5 % at most)"
        covers.append((name, rows, 0.6, 1, simulations, partial(calls_wrongly, groups, rows, 0.6)))
    for groups, rows, rate in ((2, 60, 0.6), (4, 95, 0.6), (4, 1000, 0.6), (8, 1000, 0.1), (8, 10_000, 0.6)):
        name = f"{groups} groups at exactly four fifths: any called either way (5 % at most)"
        covers.append((name, rows, rate, 0.8, simulations, partial(calls_at_the_bound, groups, rows, rate)))
    for groups, rows, rate in ((4, 35, 0.9), (12, 60, 0.98), (8, 95, 0.2)):
        name = f"{groups} groups at exactly four fifths of one of {TIMES * rows:,}: any called either way (5 % at most)"
        call = partial(calls_at_the_bound, groups, rows, rate, times=TIMES)
        covers.append((name, rows, rate, 0.8, simulations, call))
    for groups, rows, rate in ((4, 95, 0.6), (4, 1000, 0.1)):
        name = f"largest gap in a rate of {groups} equal groups, all at once"
        covers.append((name, rows, rate, 0, simulations, partial(cover_gap, groups, rows, rate)))
    for rows, of_month, moved in MONTHS:
        name = f"PSI and CSI of {of_month:,} rows against the reference's, mean moved by {moved:g} sd"
        covers.append((name, rows, "", moved, simulations, partial(cover_stability, rows, of_month, moved)))
    for rows, middle in ((60, 0.0), (380, 1.5), (2000, -3.0)):
        name = "right probabilities: called further off than chance explains (5 % at most)"
        covers.append((name, rows, "", 0, simulations // SLOW, partial(calls_right_probabilities_wrong, rows, middle)))
    for rows, approval, margin in WORSE_MODELS:
        name = f"worse by 2 % more than {margin:g}, wrong approvals at {approval:g}: called not worse (2.5 % at most)"
        covers.append((name, rows, "", margin, simulations, partial(passes_though_worse, rows, approval, margin)))
    for challengers in (1, 5, 20):
        name = f"{challengers} challengers judged on the same rows, all worse: any called not worse (2.5 % at most)"
        covers.append((name, 4000, "", 0.02, simulations, partial(any_passes, challengers, 4000)))
    for units in (12, 50, 200):
        name = f"Brier score of copies of {units} rows, by chance one to many of each"
        covers.append((name, 3 * units, 0.5, 0.171, simulations, partial(metrics.cover_copied_brier, units)))
        name = f"share of copies of {units} rows, by chance one to many of each"
        covers.append((name, 3 * units, "", 0.2, simulations, partial(metrics.cover_copied_share, units, 0.2)))
    return [*covers, *gains.list_rows(simulations, simulations // SLOW)]


def simulate(simulations: int) -> Iterator[str]:
    """Yield the lines of the table."""
    for name, rows, share, truth, times, cover in list_rows(simulations):
        covered = sum(cover(number) for number in range(times))
        low, high = wilson_interval(covered, times)
        found = f"{covered / times:.1%} [{low:.1%}, {high:.1%}]"
        yield f"| {name} | {rows:,} | {share} | {truth:.3g} | {times:,} | {found} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000, help="of each row")
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for line in chain(simulate(options.simulations), metrics.simulate(options.simulations)):
        print(line, flush=True)
    print()
    for line in thresholds.simulate(options.simulations // SLOW):
        print(line, flush=True)


if __name__ == "__main__":
    main()
