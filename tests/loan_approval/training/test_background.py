import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from loan_approval.data.datasets import Dataset
from loan_approval.errors import DataError
from loan_approval.training import background
from loan_approval.training.background import CENTRES, FEWEST_MEMBERS, cluster, make_background
from loan_approval.training.fit import score
from serve.model.scorer import Scorer

ROOT = Path(__file__).parents[3]
MAKE_AGAIN = """
import sys
from pathlib import Path
from loan_approval.training.background import make_background
from loan_approval.data.datasets import read_dataset
from serve.contract.contract import Contract

dataset = read_dataset(Path(sys.argv[1]), Contract.load(Path(sys.argv[2])), "loans")
from sklearn.dummy import DummyClassifier

everybody = DummyClassifier().fit([[0], [0]], [0, 1])
rows, weights = make_background(dataset, everybody, 0.5)
print(rows.tobytes().hex(), weights.tolist())
"""

EVERYBODY = DummyClassifier().fit([[0], [0]], [0, 1])  # scores 0.5


def centres_of(dataset: Dataset) -> np.ndarray:
    """Return the centres where all train rows are approved."""
    return make_background(dataset, EVERYBODY, 0.5)[0]


def of_approved(homes: Dataset, X: np.ndarray) -> Dataset:
    """Return a data set of nothing but these train rows (home, amount, children)."""
    return replace(homes, X=X, y=np.ones(len(X), dtype=np.int64), splits=np.full(len(X), "train", dtype=object))


def homes_rows(rows: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.column_stack([rng.integers(0, 3, rows), rng.uniform(0, 50, rows), rng.integers(0, 5, rows)]).astype(float)


@pytest.mark.parametrize("name", ["loans", "homes"])
def test_centres_are_applications_that_keep_the_contract(request, name):
    dataset = request.getfixturevalue(name)
    centres = centres_of(dataset)
    assert CENTRES / 2 < len(centres) <= CENTRES
    for row in centres:
        names = [feature.name for feature in dataset.contract.scored]
        values = [feature.decode(x) for feature, x in zip(dataset.contract.scored, row, strict=True)]
        np.testing.assert_array_equal(dataset.contract.encode(dict(zip(names, values, strict=True)))[0], row)


def test_the_file_carries_them_and_how_many_applicants_each_stands_for(make_model):
    made = make_model("homes", "logistic_regression")
    rows, weights = make_background(made.dataset, made.pipeline, made.decision["threshold"])
    assert len(set(weights)) > 1
    scorer = Scorer(made.data)
    np.testing.assert_array_equal(scorer.background, rows)
    np.testing.assert_array_equal(scorer.background_weights, weights / weights.sum())


def test_no_centre_comes_from_fewer_than_five_rows(homes):
    X = homes_rows(100)
    X[:3, 1:] = [[99, 9], [99, 9], [98, 9]]  # three of their own, far from all others
    sizes = np.unique(cluster(X, homes.contract, np.arange(len(X))), return_counts=True)[1]
    assert sizes.min() >= FEWEST_MEMBERS
    assert sizes.sum() == 100
    assert centres_of(of_approved(homes, X))[:, 1].max() < 90


def test_a_centre_is_no_applicant(loans):
    people = {tuple(row) for row in loans.X}
    assert people.isdisjoint(map(tuple, centres_of(loans)))


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_centres_are_of_the_train_rows_that_the_rule_approves_whatever_their_label(make_model, share):
    made = make_model("loans", "hist_gradient_boosting")
    p = score(made.pipeline, made.dataset.rows("train")[0])
    threshold = float(np.quantile(p, share))
    rows, weights = make_background(made.dataset, made.pipeline, threshold)
    assert weights.sum() == np.sum(p >= threshold)
    assert np.all(score(made.pipeline, rows) >= threshold)
    other = replace(made.dataset, y=1 - made.dataset.y)
    np.testing.assert_array_equal(make_background(other, made.pipeline, threshold)[0], rows)


@pytest.mark.parametrize(("amounts", "clusters", "left"), [([0, 10, 90], 2, [90]), ([0, 10], 1, [5])])
def test_a_centre_that_is_denied_itself_is_left_out_unless_all_are(homes, monkeypatch, amounts, clusters, left):
    monkeypatch.setattr(background, "CENTRES", clusters)
    X = np.column_stack([np.ones(20 * len(amounts)), np.repeat(amounts, 20), np.ones(20 * len(amounts))])
    denies_five = DecisionTreeClassifier().fit([[1, 0, 1], [1, 5, 1], [1, 10, 1], [1, 90, 1]], [1, 0, 1, 1])
    rows, weights = make_background(of_approved(homes, X), denies_five, 0.5)
    assert rows[:, 1].tolist() == left
    assert len(weights) == len(rows)


@pytest.mark.parametrize(("rows", "centres"), [(5, 1), (9, 1), (10, 2)])
def test_few_approved_applicants_make_few_centres(homes, rows, centres):
    assert len(centres_of(of_approved(homes, homes_rows(rows)))) <= centres


def test_too_few_approved_applicants_make_none(homes):
    with pytest.raises(DataError, match="homes: the rule approves 4 rows of split train, expected at least 5 to"):
        centres_of(of_approved(homes, homes_rows(4)))


def test_equal_applicants_make_one_centre(homes):
    np.testing.assert_array_equal(centres_of(of_approved(homes, np.tile([1.0, 10.0, 2.0], (50, 1)))), [[1, 10, 2]])


@pytest.mark.parametrize(("children", "expected"), [([1, 1, 2, 2, 2, 3], 2), ([1, 2] + [np.nan] * 4, np.nan)])
def test_a_number_is_a_whole_mean_and_missing_where_most_are(homes, children, expected):
    X = np.column_stack([np.ones(6), np.full(6, 10.0), children])
    np.testing.assert_array_equal(centres_of(of_approved(homes, X)), [[1, 10, expected]])


def test_values_of_too_few_to_hide_behind_give_way_to_the_middle_of_all(homes, monkeypatch):
    monkeypatch.setattr(background, "CENTRES", 2)
    few, many = np.tile([0.0, 90.0, 9.0], (6, 1)), np.tile([2.0, 1.0, 1.0], (100, 1))
    few[:2, 2] = np.nan  # four of six are given
    many[:, 2] = np.arange(100) % 5
    centres = centres_of(of_approved(homes, np.concatenate([few, many])))
    np.testing.assert_array_equal(centres[centres[:, 1] == 90], [[0, 90, 2]])


def test_a_category_is_the_most_frequent_one(homes, monkeypatch):
    monkeypatch.setattr(background, "CENTRES", 1)
    X = np.column_stack([[0, 2, 2, 2, np.nan, 1], np.full(6, 10.0), np.ones(6)])
    np.testing.assert_array_equal(centres_of(of_approved(homes, X)), [[2, 10, 1]])


def test_of_many_rows_a_part_is_clustered_the_same_each_time(loans, monkeypatch):
    monkeypatch.setattr(background, "CLUSTERED_ROWS", 200)
    centres = centres_of(loans)
    np.testing.assert_array_equal(centres_of(loans), centres)
    assert len(centres) <= CENTRES


def test_another_process_with_other_hashes_and_threads_makes_the_same_bytes(loans, loans_csv):
    rows, weights = make_background(loans, EVERYBODY, 0.5)
    here = f"{rows.tobytes().hex()} {weights.tolist()}"
    for seed, threads in (("1", "1"), ("2", "4")):
        run = subprocess.run(
            [sys.executable, "-c", MAKE_AGAIN, str(loans_csv), str(ROOT / "data/loans/contract.toml")],
            env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert run.stdout.strip() == here


def test_no_centre_comes_from_fewer_than_five_people_however_many_rows_they_have(homes):
    X = homes_rows(120)
    X[:20, 1:] = [[99, 9]]  # twenty rows of two people, far from all others
    people = np.append(np.repeat([0, 1], 10), np.arange(2, 102))
    members = cluster(X, homes.contract, people)
    assert all(len(set(people[members == name])) >= FEWEST_MEMBERS for name in set(members))
    keys = np.array([f"c{person}" for person in people], dtype=object)
    grouped = replace(of_approved(homes, X), contract=replace(homes.contract, split_by="customer"), keys=keys)
    assert centres_of(grouped)[:, 1].max() < 98
    with pytest.raises(DataError, match="the rule approves 2 groups by customer of split train, expected at least 5"):
        centres_of(replace(of_approved(homes, X[:20]), contract=grouped.contract, keys=keys[:20]))


def test_no_centre_is_older_than_the_youngest_elderly_applicant(loans):
    X = loans.X.copy()
    X[:, 0] = np.random.default_rng(8).integers(18, 101, len(X))
    assert centres_of(replace(loans, X=X))[:, 0].max() == 62
