import itertools

import numpy as np
import pytest
from scipy.stats import rankdata

from loan_approval.data.datasets import read_dataset
from loan_approval.data.simulate import (
    MISSING,
    approval_probability,
    make_applicants,
    simulate,
    write_simulation,
)


def best_reachable_auc(p: np.ndarray) -> float:
    """Return the expected AUC of ranking by p itself when each label is drawn with that probability."""
    ranks = rankdata(p)
    expected_wins = np.sum(p * ranks) - np.sum(p) * (np.sum(p) + 1) / 2 - np.sum(p * (1 - p)) / 2
    expected_pairs = np.sum(p) * np.sum(1 - p) - np.sum(p * (1 - p))
    return float(expected_wins / expected_pairs)


def simulated_bytes(path, rows=50, seed=3):
    write_simulation(path, rows, seed)
    return path.read_bytes()


def test_a_seed_fixes_every_byte(tmp_path):
    assert simulated_bytes(tmp_path / "one.csv") == simulated_bytes(tmp_path / "two.csv")


def test_another_seed_makes_other_applicants(tmp_path):
    assert simulated_bytes(tmp_path / "one.csv") != simulated_bytes(tmp_path / "two.csv", seed=4)


@pytest.mark.parametrize("rows", [0, 1, 7, 250])
def test_there_are_as_many_rows_as_asked_for(tmp_path, rows):
    assert simulated_bytes(tmp_path / "made.csv", rows).count(b"\n") == rows + 1


@pytest.mark.parametrize("rows", [1, 2000])
def test_every_row_keeps_the_contract(tmp_path, loans_contract, rows):
    write_simulation(tmp_path / "made.csv", rows)
    assert len(read_dataset(tmp_path / "made.csv", loans_contract, "made").y) == rows


def test_one_to_five_percent_are_missing_in_five_columns():
    percent = (100 * simulate().isna().mean()).round()
    missing = percent[percent > 0]
    assert set(missing.index) == set(MISSING)
    assert len(missing) == 5
    assert missing.between(1, 5).all()


def test_the_best_reachable_auc_is_the_share_of_pairs_ranked_right():
    p = np.array([0.1, 0.4, 0.4, 0.7, 0.95])
    pairs = list(itertools.permutations(p, 2))
    wins = sum(a * (1 - b) * ((a > b) + (a == b) / 2) for a, b in pairs)
    assert best_reachable_auc(p) == pytest.approx(wins / sum(a * (1 - b) for a, b in pairs))


def test_the_best_reachable_auc_of_the_data_set_is_the_one_that_is_documented():
    applicants = make_applicants(200_000, np.random.default_rng(11))
    assert best_reachable_auc(approval_probability(applicants)) == pytest.approx(0.883, abs=0.002)


def test_labels_follow_the_probability():
    applicants = make_applicants(20_000, np.random.default_rng(2))
    assert simulate(20_000, seed=2)["Loan_Approval"].mean() == pytest.approx(
        approval_probability(applicants).mean(), abs=0.01
    )


@pytest.mark.parametrize(
    ("column", "direction"),
    [("Age", 1), ("Annual_Income", 1), ("Credit_Score", 1), ("Loan_Amount", -1), ("Had_Past_Default", -1)],
)
def test_the_underwriter_keeps_the_contracts_directions(loans_contract, column, direction):
    feature = next(feature for feature in loans_contract.features if feature.name == column)
    assert feature.direction == direction
    applicants = make_applicants(300, np.random.default_rng(4))
    values = np.linspace(max(feature.min, 1), feature.max, 60) if feature.max > 1 else (0, 1)
    p = np.array([approval_probability(applicants.assign(**{column: value})) for value in values])
    assert np.all(direction * np.diff(p, axis=0) >= -1e-12)


def test_every_direction_of_the_contract_is_tested_above(loans_contract):
    directed = {feature.name for feature in loans_contract.features if feature.direction}
    assert directed == {"Age", "Annual_Income", "Credit_Score", "Loan_Amount", "Had_Past_Default"}
