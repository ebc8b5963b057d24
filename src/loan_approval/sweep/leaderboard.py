"""The leaderboard of a sweep: recipes ranked by their scores on held-out train rows; no test row is used.

Runs that differ only in their seed are one recipe, ranked by their mean: a seed picked for its score is luck.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from loan_approval.evaluation.intervals import Interval
from loan_approval.registry.card import render_in_style
from loan_approval.sweep.plan import SEED, Trial, describe_parameters, train_command
from loan_approval.sweep.trial import SECONDS, Finished
from serve.files import write_atomically

MOST_PRINTED = 10


@dataclass(frozen=True)
class Failure:
    """A trial without a result, and the reason."""

    trial: Trial
    reason: str


@dataclass(frozen=True)
class Standing:
    """A recipe with the mean of each measure over its seeds, and its runs in MLflow.

    auc: out of fold, with the mean of the seeds' 95 % intervals.   spread: between the seeds' AUCs, None for one seed.
    cost: per application of the calibrate rows, on which the threshold was chosen.   log_loss: on the same rows,
    cross-fitted.   seconds: of one run.
    """

    parameters: Mapping[str, Any]
    seeds: tuple[int, ...]
    auc: Interval
    spread: float | None
    cost: float
    log_loss: float
    seconds: float
    runs: tuple[str, ...]

    def __str__(self) -> str:
        return describe_parameters({name: value for name, value in self.parameters.items() if name != SEED})


@dataclass(frozen=True)
class Board:
    """The results of a sweep: standings, best first, and failures. parent: the id of its MLflow run."""

    sweep: str
    dataset: str
    parent: str
    standings: tuple[Standing, ...]
    failures: tuple[Failure, ...]

    def command(self) -> str:
        """Return the command that trains the best recipe for real; "" when no trial has finished."""
        return train_command(self.dataset, self.standings[0].parameters) if self.standings else ""

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the parent run."""
        best = {"best_cv_roc_auc": self.standings[0].auc.value} if self.standings else {}
        return best | {"recipes": len(self.standings), "failed_trials": len(self.failures)}


def make_board(
    sweep: str, dataset: str, parent: str, trials: list[Trial], done: Mapping[str, Finished], failures: list[Failure]
) -> Board:
    """Rank the finished trials of a sweep by mean out-of-fold AUC, then by log loss, then in the plan's order."""
    recipes: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.key in done:
            recipes.setdefault(trial.recipe, []).append(trial)
    standings = [_standing(members, [done[trial.key] for trial in members]) for members in recipes.values()]
    standings.sort(key=lambda standing: (-standing.auc.value, standing.log_loss))
    return Board(sweep, dataset, parent, tuple(standings), tuple(failures))


def _standing(trials: Sequence[Trial], finished: Sequence[Finished]) -> Standing:
    def mean(name: str) -> float:
        return fmean(run.metrics[name] for run in finished)

    aucs = [run.metrics["cv_roc_auc"] for run in finished]
    return Standing(
        parameters=trials[0].parameters,
        seeds=tuple(trial.parameters[SEED] for trial in trials),
        auc=Interval(mean("cv_roc_auc"), mean("cv_roc_auc_low"), mean("cv_roc_auc_high")),
        spread=max(aucs) - min(aucs) if len(aucs) > 1 else None,
        cost=mean("calibrate_cost"),
        log_loss=mean("calibrate_log_loss"),
        seconds=mean(SECONDS),
        runs=tuple(run.run_id for run in finished),
    )


def describe_lead(standings: Sequence[Standing]) -> str:
    """Return in words whether the best recipe is distinguishable from the others."""
    if len(standings) < 2:
        return "There is nothing to compare." if standings else "No trial has finished."
    best, second = standings[:2]
    lead, half = best.auc.value - second.auc.value, (best.auc.high - best.auc.low) / 2
    within = sum(standing.auc.high >= best.auc.value for standing in standings[1:])
    words = f"The best leads the second by {lead:.4f} of AUC; its own 95 % interval reaches {half:.4f} either side."
    if not within:
        return f"{words} It lies above the interval of every other."
    others = f"{within} of the {len(standings) - 1} others"
    return (
        f"{words} It lies within the interval of {others}: the data do not distinguish these, so the simplest or "
        "fastest of them will do. The best of many is also flattered by having been picked."
    )


def write_board(board: Board, folder: Path) -> list[Path]:
    """Write `sweep.html`, which loads nothing, and the same as `sweep.json`; return their paths."""
    page, document = folder / "sweep.html", folder / "sweep.json"
    write_atomically(document, (json.dumps(asdict(board), indent=1, ensure_ascii=False) + "\n").encode())
    lead = describe_lead(board.standings)
    text = render_in_style("sweep/sweep.html.j2", board=board, lead=lead)
    write_atomically(page, text.encode())
    return [page, document]


def print_board(board: Board) -> None:
    """Print the best recipes, how far apart they are, and the command that trains the first."""
    for place, standing in enumerate(board.standings[:MOST_PRINTED], 1):
        seeds = f", {len(standing.runs)} seeds" if len(standing.runs) > 1 else ""
        print(
            f"{place:3}. AUC {standing.auc}, cost {standing.cost:.4f}, log loss {standing.log_loss:.4f}, "
            f"{standing.seconds:.0f} s{seeds}: {standing}"
        )
    print(describe_lead(board.standings))
    if board.standings:
        print(f"To train the best for 03_validate to judge: {board.command()}")
