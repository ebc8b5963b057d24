"""What the chosen threshold costs beside the best there is, and how often its interval holds the best, by simulation.

Printed by `make bench-intervals`. A simulation follows from its number alone. Scores are right probabilities, or wrong
in a way that one logistic curve mends, or in a way that none does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.special import expit, logit

from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.intervals import wilson_interval
from loan_approval.evaluation.thresholds import find_cuts, total_costs
from loan_approval.training.threshold import choose_threshold, cut_cheapest

Drawn = tuple[np.ndarray, np.ndarray]  # (n,) log-odds of the score, and of the label
POPULATION = 100_000
SPREAD = 1.6  # standard deviation of the log-odds
UNLABELLED = 4  # rows of other splits, for each calibrate row
HEAD = (
    *("scores", "rows", "share of label 1", "costs", "simulations", "dearer than the best: mean, worst twentieth"),
    *("the same, cheapest cut", "chosen by the cut", "best threshold in the interval [95 % interval]"),
)


def _draw(rows: int, middle: float, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(middle, SPREAD, rows)


def right(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return scores that are right probabilities."""
    z = _draw(rows, middle, rng)
    return z, z


def too_timid(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return scores too near to 0.62: a logistic curve mends them."""
    z = _draw(rows, middle, rng)
    return 0.6 * z + 0.5, z


def heavy_tailed(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return right probabilities, some of them very near to 0 and 1."""
    z = middle + 1.2 * rng.standard_t(2, rows)
    return z, z


def beta_shaped(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return right probabilities, most of them near to 0 or 1."""
    share = expit(middle)
    z = logit(np.clip(rng.beta(0.8 * share, 0.8 * (1 - share), rows), 1e-9, 1 - 1e-9))
    return z, z


def of_ten_steps(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return scores with about ten values, as a small tree's."""
    z = _draw(rows, middle, rng)
    return np.round(z), z


def votes_of_trees(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return shares of 100 votes, some 0 and some 1."""
    z = _draw(rows, middle, rng)
    return logit(np.clip(rng.binomial(100, expit(z)) / 100, 1e-12, 1 - 1e-12)), z


def saturated(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return labels that are never surer than 10 to 95 %: no logistic curve."""
    z = _draw(rows, middle, rng)
    return z, logit(0.1 + 0.85 * expit(2 * z - middle))


def too_sure(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return scores too sure at both ends, and U-shaped errors: no logistic curve."""
    z = _draw(rows, middle, rng)
    return np.sign(z) * np.abs(z) ** 1.7, z


def bent(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return labels that rise slowly below the middle and steeply above it: no logistic curve."""
    z = _draw(rows, middle, rng)
    return z, middle + np.where(z > middle, 2, 0.3) * (z - middle)


def falling(rows: int, middle: float, rng: np.random.Generator) -> Drawn:
    """Return labels that fall again among the highest scores: no rising curve at all."""
    z = _draw(rows, middle, rng)
    return z, middle + np.where(z < middle + 2, z - middle, 2 - 2 * (z - middle - 2))


Generator = Callable[[int, float, np.random.Generator], Drawn]
MENDED: tuple[Generator, ...] = (too_timid, heavy_tailed, beta_shaped, of_ten_steps, votes_of_trees)
NOT_MENDED: tuple[Generator, ...] = (saturated, too_sure, bent, falling)


@dataclass(frozen=True)
class Case:
    """Where scores come from, how many calibrate rows there are, the middle of the log-odds, and the costs' ratio."""

    scores: Generator = right
    rows: int = 300
    middle: float = 0.0
    ratio: float = 10.0

    @property
    def costs(self) -> Costs:
        """The costs of a wrong approval and a wrong denial."""
        return Costs(self.ratio, 1.0)


CASES = [
    *(Case(rows=rows) for rows in (60, 100, 300, 2000, 10_000)),
    *(Case(rows=rows, ratio=ratio) for rows in (100, 2000) for ratio in (1.0, 5.0, 100.0)),
    *(Case(rows=rows, middle=middle) for rows in (100, 2000) for middle in (-4.5, 1.5)),
    *(Case(scores, rows) for scores in MENDED for rows in (100, 2000)),
    *(Case(scores, rows) for scores in NOT_MENDED for rows in (100, 2000, 10_000)),
    *(Case(scores, rows, 1.5, 1.0) for scores in NOT_MENDED for rows in (2000, 10_000)),
]


@dataclass(frozen=True)
class Found:
    """Costs above the best threshold's, as shares of it, and whether the interval holds a best threshold."""

    dearer: float
    cut_dearer: float
    by_curve: bool
    covered: bool


@cache
def population(case: Case) -> tuple[np.ndarray, np.ndarray, float]:
    """Return cuts of a large population, what each costs an application in expectation, and its share of label 1."""
    score, label = case.scores(POPULATION, case.middle, np.random.default_rng(99))
    p, q = expit(score), expit(label)
    cuts = find_cuts(p)
    return cuts, total_costs(q, p, cuts, case.ratio, 1.0) / POPULATION, float(np.mean(q))


def choose(case: Case, number: int) -> Found:
    """Draw rows, choose a threshold on them, and look what it costs in the population."""
    rng = np.random.default_rng([number, case.rows])
    score, label = case.scores((1 + UNLABELLED) * case.rows, case.middle, rng)
    every_p = expit(score)
    p, y = every_p[: case.rows], (rng.random(case.rows) < expit(label[: case.rows])).astype(int)
    y[:2] = 0, 1  # both labels, as training demands
    cuts, cost, _ = population(case)
    best = cuts[np.argmin(cost)]
    chosen = choose_threshold(y, p, every_p, case.costs)
    threshold, cut = chosen.threshold, cut_cheapest(y, p, find_cuts(every_p), case.costs)
    at = [cost[np.argmin(np.abs(cuts - each))] / cost.min() - 1 for each in (threshold.value, cut)]
    return Found(*at, chosen.by_curve, bool(threshold.low <= best <= threshold.high))


def row_of(case: Case, found: list[Found]) -> str:
    """Return a line of the table."""
    dearer, cut = ([getattr(each, name) for each in found] for name in ("dearer", "cut_dearer"))
    covered = sum(each.covered for each in found)
    low, high = wilson_interval(covered, len(found))
    cells = [
        *(case.scores.__name__.replace("_", " "), f"{case.rows:,}", f"{population(case)[2]:.2f}"),
        *(f"{case.ratio:g} : 1", len(found)),
        *(f"{np.mean(each):.1%}, {np.quantile(each, 0.95):.1%}" for each in (dearer, cut)),
        f"{np.mean([not each.by_curve for each in found]):.0%}",
        f"{covered / len(found):.1%} [{low:.1%}, {high:.1%}]",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def simulate(simulations: int) -> Iterator[str]:
    """Yield the lines of the table; rows of 10,000 are drawn a quarter as often."""
    yield f"| {' | '.join(HEAD)} |"
    yield f"|{' --- |' * len(HEAD)}"
    for case in CASES:
        times = simulations // 4 if case.rows == 10_000 else simulations
        yield row_of(case, list(map(partial(choose, case), range(times))))
