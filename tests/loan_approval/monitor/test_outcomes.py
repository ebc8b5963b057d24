from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.errors import DataError
from loan_approval.monitor.outcomes import describe_outcomes, performance_over_time, read_outcomes
from tests.monitored import Monitored, load, mixed_applications


def write_outcomes(path: Path, rows: pd.DataFrame) -> Path:
    rows.to_csv(path, index=False)
    return path


def test_outcomes_count_for_approved_applications_only(mixed: Monitored, tmp_path: Path) -> None:
    ids = mixed.decide(mixed_applications(300, 3), mixed.install())
    window = load(mixed)
    rng = np.random.default_rng(1)
    repaid = np.where(rng.random(300) < window.decisions["probability"], "yes", "no")
    path = write_outcomes(tmp_path / "outcomes.csv", pd.DataFrame({"decision_id": ids, "outcome": repaid}))
    outcomes = read_outcomes(path, window)
    approved = window.decisions["code"] == 1
    assert len(outcomes) == approved.sum()
    assert outcomes["outcome"].sum() == np.sum(repaid[approved] == "yes")
    table = performance_over_time(outcomes, seed=7)
    assert table["month"].tolist() == ["2026-11"]
    assert {"AUC", "Brier", "repaid"} < set(table.columns)
    words, _ = describe_outcomes(str(path), window, seed=7)
    assert "Selected: " in words[0]


def test_without_outcomes_nothing_is_said_of_performance(mixed: Monitored) -> None:
    mixed.decide(mixed_applications(3, 3), mixed.install())
    words, table = describe_outcomes("", load(mixed), seed=7)
    assert words[0].startswith("No outcomes were given")
    assert table.empty


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,outcome\n", "expected the columns decision_id,outcome"),
        ("decision_id,outcome\na,yes\na,no\n", "each decision once"),
        ("decision_id,outcome\na,yes\nb,maybe\n", "no outcome in lines 3, expected one of no, yes"),
    ],
)
def test_a_file_that_is_no_outcomes_is_an_error(mixed: Monitored, tmp_path: Path, text: str, words: str) -> None:
    mixed.decide(mixed_applications(3, 3), mixed.install())
    (tmp_path / "outcomes.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_outcomes(tmp_path / "outcomes.csv", load(mixed))
    with pytest.raises(DataError, match="can't be read as CSV"):
        read_outcomes(tmp_path / "none.csv", load(mixed))


def test_past_decisions_are_not_judged_by_outcomes(loans: Monitored, tmp_path: Path) -> None:
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(DataError, match="means 'past_decision', expected 'repaid'"):
        read_outcomes(tmp_path / "outcomes.csv", load(loans))
