"""How recipes are ranked, and the sentence on how far apart they are."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from loan_approval.sweep.leaderboard import Board, Failure, describe_lead, make_board, print_board, write_board
from loan_approval.sweep.plan import Trial
from loan_approval.sweep.trial import Finished


def trial(recipe: str, seed: int = 7) -> Trial:
    return Trial(f"{recipe}-{seed}", recipe, {"model_name": recipe, "seed": seed})


def finished(trial: Trial, auc: float, half: float = 0.01, log_loss: float = 0.5) -> Finished:
    metrics = {"cv_roc_auc": auc, "cv_roc_auc_low": auc - half, "cv_roc_auc_high": auc + half}
    metrics |= {"calibrate_cost": 0.25, "calibrate_log_loss": log_loss, "trial_seconds": 3.0}
    return Finished(f"run-{trial.key}", metrics)


def board_of(*ranked: tuple[Trial, float], failed: tuple[Trial, ...] = ()) -> Board:
    done = {trial.key: finished(trial, auc) for trial, auc in ranked}
    failures = [Failure(trial, "NotebookFailedError: cell 3 of 29: <b>no</b>") for trial in failed]
    return make_board("0123", "loans", "parent", [*(trial for trial, _ in ranked), *failed], done, failures)


@pytest.fixture
def board() -> Board:
    ranked = [(trial("forest"), 0.81), (trial("line"), 0.80), (trial("line", seed=8), 0.83)]
    return board_of(*ranked, failed=(trial("tree"),))


def test_seeds_of_a_recipe_count_by_their_mean_not_their_best(board: Board) -> None:
    line, forest = board.standings
    assert (line.seeds, line.spread, line.runs) == ((7, 8), pytest.approx(0.03), ("run-line-7", "run-line-8"))
    assert (line.auc.value, line.auc.low, line.auc.high) == pytest.approx((0.815, 0.805, 0.825))
    assert (forest.auc.value, forest.spread) == (0.81, None)


def test_recipes_of_equal_auc_are_ranked_by_log_loss() -> None:
    first, second = trial("first"), trial("second")
    done = {first.key: finished(first, 0.8, log_loss=0.6), second.key: finished(second, 0.8, log_loss=0.5)}
    board = make_board("0123", "loans", "parent", [first, second], done, [])
    assert [standing.parameters["model_name"] for standing in board.standings] == ["second", "first"]


def test_recipes_within_each_others_intervals_are_counted(board: Board) -> None:
    words = describe_lead(board.standings)
    assert "leads the second by 0.0050 of AUC; its own 95 % interval reaches 0.0100 either side" in words
    assert "within the interval of 1 of the 1 others" in words


def test_a_clear_lead_is_stated() -> None:
    board = board_of((trial("good"), 0.9), (trial("bad"), 0.8))
    assert "above the interval of every other" in describe_lead(board.standings)


def test_the_page_loads_nothing_and_names_failures_as_text(board: Board, tmp_path: Path) -> None:
    page, document = write_board(board, tmp_path)
    soup = BeautifulSoup(page.read_text(), "html.parser")
    assert not soup.find_all(["script", "img", "b"])
    assert {link["href"] for link in soup.find_all("link")} == {"data:,"}
    assert "NotebookFailedError: cell 3 of 29: <b>no</b>" in soup.get_text()
    assert board.command() in soup.get_text()
    assert json.loads(document.read_text())["standings"][0]["runs"] == ["run-line-7", "run-line-8"]


def test_a_sweep_without_a_finished_trial_has_a_page_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = board_of(failed=(trial("tree"),))
    write_board(board, tmp_path)
    print_board(board)
    assert capsys.readouterr().out == "No trial has finished.\n"
    assert board.metrics() == {"recipes": 0, "failed_trials": 1}
