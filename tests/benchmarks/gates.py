"""`python -m tests.benchmarks.gates`: of simulated noise and weak signal, how many sets pass the gates of signal.

Prints Markdown as each factory is done. A set passes when both the signal gate (train rows) and the confirmation gate
(test rows) do. One process a core; a set's result follows from its number alone.
"""

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from loan_approval.data.datasets import Dataset
from loan_approval.errors import DataError
from loan_approval.evaluation.intervals import wilson_interval
from loan_approval.training.cross_validation import cross_validate
from loan_approval.training.fit import Recipe, fit, score
from loan_approval.validation.gates import CONFIRMATION_LEVEL, SIGNAL_LEVEL, confirmation_gate, signal_gate
from tests.simulated_signal import MOST_REPEATED, STRENGTHS, grouped_set, noise_set, repeated_set, weak_set

COPIES = {"repeated": 4, "repeated 2": 2, "repeated 10": 10}  # of each row of noise
KINDS = ("noise", *COPIES, "grouped", "weak")  # grouped: noise with five rows a customer
HEAD = (
    *("factory", "sets", "rows, mean", "passed [95 % interval]", "signal gate alone", "refused"),
    *("mean out-of-fold AUC", "CPU s a set"),
)


@dataclass(frozen=True)
class Outcome:
    """What the gates said of one set; `refused` when its rows don't suffice to train at all."""

    model_name: str
    kind: str
    number: int
    rows: int
    refused: bool = False
    signal: bool | None = False  # None: not asked, as the confirmation gate fails
    confirmed: bool = False
    auc: float = float("nan")
    auc_low: float = float("nan")
    auc_high: float = float("nan")
    p_value: float = float("nan")
    confirmation_p_value: float = float("nan")
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether both gates passed."""
        return bool(self.signal) and self.confirmed


def judge_set(model_name: str, kind: str, number: int, most: int = MOST_REPEATED, both_only: bool = False) -> Outcome:
    """Simulate one set, of at most so many rows where they are repeated or grouped, train on it, and ask both gates.

    both_only: spare the signal gate's cross-validation, most of the time, where the confirmation gate fails anyway.
    """
    started = time.process_time()
    makers = {"noise": noise_set, "weak": partial(weak_set, strength=STRENGTHS[model_name])}
    makers |= {kind: partial(repeated_set, copies=copies, most=most) for kind, copies in COPIES.items()}
    makers["grouped"] = partial(grouped_set, most=most)
    dataset = makers[kind](number)
    try:
        recipe = Recipe(model_name, "median_imputer_with_scaler", seed=7)
        return _judge(recipe, dataset, kind, number, started, both_only)
    except DataError:
        return Outcome(model_name, kind, number, len(dataset.y), refused=True)


def _judge(recipe: Recipe, dataset: Dataset, kind: str, number: int, started: float, both_only: bool) -> Outcome:
    X, y = dataset.rows("test")
    confirmation = confirmation_gate(y, score(fit(recipe, dataset), X), number, dataset.units("test"))
    outcome = Outcome(
        recipe.model_name,
        kind,
        number,
        len(dataset.y),
        signal=None,
        confirmed=confirmation.passed,
        confirmation_p_value=confirmation.numbers["p_value"],
    )
    if confirmation.passed or not both_only:
        signal = signal_gate(cross_validate(recipe, dataset), seed=number)
        numbers = {name: signal.numbers[name] for name in ("auc", "p_value", "auc_low", "auc_high")}
        outcome = replace(outcome, signal=signal.passed, **numbers)
    return replace(outcome, seconds=time.process_time() - started)


def judge_sets(
    model_name: str,
    kind: str,
    sets: int,
    path: Path | None = None,
    most: int = MOST_REPEATED,
    both_only: bool = False,
) -> list[Outcome]:
    """Return the outcomes of sets 0 to `sets` - 1, on every core, with progress; each added to the file as it comes."""
    outcomes = []
    with ProcessPoolExecutor(joblib.cpu_count()) as pool, path.open("a") if path else nullcontext() as file:
        found = pool.map(partial(judge_set, model_name, kind, most=most, both_only=both_only), range(sets))
        for outcome in tqdm(found, total=sets, desc=f"{model_name}, {kind}", unit="set"):
            outcomes.append(outcome)
            if file:
                file.write(json.dumps(asdict(outcome)) + "\n")
                file.flush()
    return outcomes


def row_of(outcomes: Sequence[Outcome]) -> str:
    """Return the line of the table for one factory and kind."""
    asked = all(outcome.signal is not None for outcome in outcomes)
    aucs = [outcome.auc for outcome in outcomes if not outcome.refused]
    passed = sum(outcome.passed for outcome in outcomes)
    low, high = wilson_interval(passed, len(outcomes))
    cells = [
        f"{outcomes[0].model_name}, {outcomes[0].kind}",
        len(outcomes),
        f"{np.mean([outcome.rows for outcome in outcomes]):,.0f}",
        f"{passed} [{low:.1%}, {high:.1%}]",
        sum(bool(outcome.signal) for outcome in outcomes) if asked else "–",
        sum(outcome.refused for outcome in outcomes),
        f"{np.mean(aucs):.3f}" if asked else "–",
        f"{np.mean([outcome.seconds for outcome in outcomes]):.1f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Run every factory asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200, help="of noise, and as many of weak signal")
    parser.add_argument("--models", nargs="+", choices=list(STRENGTHS), default=list(STRENGTHS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--most-rows", type=int, default=MOST_REPEATED, help="of repeated and grouped noise")
    parser.add_argument("--both-only", action="store_true", help="no signal gate where the confirmation gate fails")
    parser.add_argument("--outcomes", type=Path, help="a file to add each set's outcome to, a JSON document a line")
    options = parser.parse_args()
    print(f"Signal gate at {SIGNAL_LEVEL:.0%}, confirmation gate at {CONFIRMATION_LEVEL:.0%}.\n")
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for model_name in options.models:
        for kind in options.kinds:
            found = judge_sets(model_name, kind, options.sets, options.outcomes, options.most_rows, options.both_only)
            print(row_of(found), flush=True)


if __name__ == "__main__":
    main()
