"""`python -m tests.benchmarks.reasons`: what the reasons for one application cost, beside plain scoring; Markdown.

One thread on one core, without a server; a thousand different applicants, each asked once. Plain scoring of one row
and of 2,048 (all coalitions of seven features against 16 background rows, none left out) is measured in the same run.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from loan_approval.factories import factory_names
from loan_approval.model_factory import ModelFactory
from serve.explain import Explainer
from serve.scorer import Scorer
from tests.benchmarks.facts import describe_machine
from tests.benchmarks.model import make_model, make_questions
from tests.benchmarks.process import SERVER_CORE

APPLICANTS = 1_000
MANY = 2_048
WARM_UP = 50  # calls


def main() -> None:
    """Measure each model and print a table."""
    os.sched_setaffinity(0, {int(SERVER_CORE)})
    print(f"{describe_machine()}\n")
    print(
        "| model | reasons p50 ms | p99 ms | rows scored, p50 | one row p50 ms | 2,048 rows p50 ms | reasons / 2,048 |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in factory_names(ModelFactory):
            print(_measure(name, Path(folder) / name), flush=True)


def _measure(name: str, folder: Path) -> str:
    made = make_model(name, folder)
    scorer = Scorer((made.folder / "model.onnx").read_bytes())
    X = np.concatenate([scorer.contract.encode(row) for row in make_questions(made, APPLICANTS).rows])
    many = [np.resize(np.roll(X, 7 * i, axis=0), (MANY, X.shape[1])) for i in range(100)]
    reasons = _time(Explainer(scorer).explain, [row[None] for row in X])
    one, bulk = _time(scorer.score_one, [row[None] for row in X]), _time(scorer.score, many)
    middle = np.median(reasons)
    cells = [f"{ms:.3f}" for ms in (middle, np.percentile(reasons, 99), np.median(one), np.median(bulk))]
    cells.insert(2, f"{_rows(scorer, X):.0f}")
    return f"| {name} | {' | '.join(cells)} | {middle / np.median(bulk):.2f} |"


def _time(ask: Callable[[np.ndarray], object], questions: list[np.ndarray]) -> np.ndarray:
    """Return the milliseconds of each question."""
    for question in questions[:WARM_UP]:
        ask(question)
    times = []
    for question in questions:
        began = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - began) * 1e3)
    return np.array(times)


def _rows(scorer: Scorer, X: np.ndarray) -> float:
    """Return the median number of rows that the reasons for one application take."""
    differing = np.sum(scorer.background != X[:, None], axis=2)
    return float(np.median(np.sum(2**differing, axis=1)))


if __name__ == "__main__":
    main()
