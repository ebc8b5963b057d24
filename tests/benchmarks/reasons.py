"""`python -m tests.benchmarks.reasons`: what the reasons for one application cost, beside plain scoring; Markdown.

One thread on one core, without a server; a thousand different applicants, each asked once. Plain scoring of one row
and of 2,048 (all coalitions of seven features against 16 background rows, none left out) is measured in the same run.
CPU time is what a busy machine adds least to.
"""

import os
import time
from collections.abc import Callable

import numpy as np

from loan_approval.data.datasets import load_dataset
from loan_approval.data.simulate import make_applicants
from loan_approval.training.background import make_background
from loan_approval.training.export import export
from loan_approval.training.factory import ModelFactory, factory_names
from loan_approval.training.fit import Recipe, fit
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer
from tests.benchmarks.facts import describe_machine

APPLICANTS = 1_000
MANY = 2_048
WARM_UP = 50  # calls
SEED = 7
COLUMNS = ("model", "reasons p50 ms", "p99", "CPU p50", "rows scored p50", "one row p50 ms", "2,048 rows p50", "ratio")


def main() -> None:
    """Measure each model and print a table."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"{describe_machine()}, load average before it {os.getloadavg()[0]:.1f}\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for name in factory_names(ModelFactory):
        print(f"| {' | '.join(_measure(name))} |", flush=True)


def _measure(name: str) -> list[str]:
    scorer = _make_scorer(name)
    frame = make_applicants(APPLICANTS, np.random.default_rng(SEED))
    X = frame[[feature.name for feature in scorer.contract.scored]].to_numpy(dtype=np.float64)
    rows = list(X[:, None])
    many = [np.resize(np.roll(X, 7 * i, axis=0), (MANY, X.shape[1])) for i in range(100)]
    reasons, cpu = _time(Explainer(scorer).explain, rows)
    one, bulk = (np.median(_time(score, asked)[0]) for score, asked in ((scorer.score_one, rows), (scorer.score, many)))
    middle, high = np.percentile(reasons, [50, 99])
    shown = [f"{ms:.3f}" for ms in (middle, high, np.median(cpu), one, bulk)]
    return [name, *shown[:3], f"{_rows_scored(scorer, X):.0f}", *shown[3:], f"{middle / bulk:.2f}"]


def _make_scorer(name: str) -> Scorer:
    dataset, recipe = load_dataset("loans"), Recipe(name, "median_imputer_with_scaler", SEED)
    pipeline = fit(recipe, dataset)
    background = make_background(dataset, pipeline, 0.5)
    return Scorer(export(pipeline, recipe, dataset.contract, {"threshold": 0.5}, {}, background))


def _time(ask: Callable[[np.ndarray], object], questions: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the milliseconds that each question takes, and those that the processor spends on it."""
    for question in questions[:WARM_UP]:
        ask(question)
    times = []
    for question in questions:
        began = time.perf_counter(), time.thread_time()
        ask(question)
        times.append((time.perf_counter() - began[0], time.thread_time() - began[1]))
    wall, cpu = np.array(times).T * 1e3
    return wall, cpu


def _rows_scored(scorer: Scorer, X: np.ndarray) -> float:
    """Return the median number of rows that the exact reasons for one application take."""
    differing = np.sum(scorer.background != X[:, None], axis=2)
    return float(np.median(np.sum(2**differing, axis=1)))


if __name__ == "__main__":
    main()
