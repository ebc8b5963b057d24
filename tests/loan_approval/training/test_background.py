import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loan_approval.data.datasets import Dataset
from loan_approval.errors import DataError
from loan_approval.training import background
from loan_approval.training.background import CENTRES, FEWEST_MEMBERS, cluster, make_background
from serve.model.scorer import Scorer

ROOT = Path(__file__).parents[3]
MAKE_AGAIN = """
import sys
from pathlib import Path
from loan_approval.training.background import make_background
from loan_approval.data.datasets import read_dataset
from serve.contract.contract import Contract

dataset = read_dataset(Path(sys.argv[1]), Contract.load(Path(sys.argv[2])), "loans")
print(make_background(dataset).tobytes().hex())
"""


def of_approved(homes: Dataset, X: np.ndarray) -> Dataset:
    """Return a data set of nothing but these train rows (home, amount, children), all approved."""
    return replace(homes, X=X, y=np.ones(len(X), dtype=np.int64), splits=np.full(len(X), "train", dtype=object))


def homes_rows(rows: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.column_stack([rng.integers(0, 3, rows), rng.uniform(0, 50, rows), rng.integers(0, 5, rows)]).astype(float)


@pytest.mark.parametrize("name", ["loans", "homes"])
def test_centres_are_applications_that_keep_the_contract(request, name):
    dataset = request.getfixturevalue(name)
    centres = make_background(dataset)
    assert CENTRES / 2 < len(centres) <= CENTRES
    for row in centres:
        names = [feature.name for feature in dataset.contract.scored]
        values = [feature.decode(x) for feature, x in zip(dataset.contract.scored, row, strict=True)]
        np.testing.assert_array_equal(dataset.contract.encode(dict(zip(names, values, strict=True)))[0], row)


def test_the_file_carries_them(make_model):
    made = make_model("homes", "logistic_regression")
    np.testing.assert_array_equal(Scorer(made.data).background, make_background(made.dataset))


def test_no_centre_comes_from_fewer_than_five_rows(homes):
    X = homes_rows(100)
    X[:3, 1:] = [[99, 9], [99, 9], [98, 9]]  # three of their own, far from all others
    sizes = np.unique(cluster(X, homes.contract, np.arange(len(X))), return_counts=True)[1]
    assert sizes.min() >= FEWEST_MEMBERS
    assert sizes.sum() == 100
    assert make_background(of_approved(homes, X))[:, 1].max() < 90


def test_a_centre_is_no_applicant(loans):
    people = {tuple(row) for row in loans.X}
    assert people.isdisjoint(map(tuple, make_background(loans)))


def test_denied_rows_and_rows_of_other_roles_are_not_looked_at(loans):
    expected = make_background(loans)
    used = (loans.splits == "train") & (loans.y == 1)
    X = np.where(used[:, None], loans.X, 1.0)
    np.testing.assert_array_equal(make_background(replace(loans, X=X)), expected)


@pytest.mark.parametrize(("rows", "centres"), [(5, 1), (9, 1), (10, 2)])
def test_few_approved_applicants_make_few_centres(homes, rows, centres):
    assert len(make_background(of_approved(homes, homes_rows(rows)))) <= centres


def test_too_few_approved_applicants_make_none(homes):
    with pytest.raises(DataError, match="homes: 4 rows of split train are 'Granted', expected at least 5"):
        make_background(of_approved(homes, homes_rows(4)))


def test_equal_applicants_make_one_centre(homes):
    np.testing.assert_array_equal(make_background(of_approved(homes, np.tile([1.0, 10.0, 2.0], (50, 1)))), [[1, 10, 2]])


@pytest.mark.parametrize(("children", "expected"), [([1, 1, 2, 2, 2, 3], 2), ([1, 2] + [np.nan] * 4, np.nan)])
def test_a_number_is_a_whole_mean_and_missing_where_most_are(homes, children, expected):
    X = np.column_stack([np.ones(6), np.full(6, 10.0), children])
    np.testing.assert_array_equal(make_background(of_approved(homes, X)), [[1, 10, expected]])


def test_values_of_too_few_to_hide_behind_give_way_to_the_middle_of_all(homes, monkeypatch):
    monkeypatch.setattr(background, "CENTRES", 2)
    few, many = np.tile([0.0, 90.0, 9.0], (6, 1)), np.tile([2.0, 1.0, 1.0], (100, 1))
    few[:2, 2] = np.nan  # four of six are given
    many[:, 2] = np.arange(100) % 5
    centres = make_background(of_approved(homes, np.concatenate([few, many])))
    np.testing.assert_array_equal(centres[centres[:, 1] == 90], [[0, 90, 2]])


def test_a_category_is_the_most_frequent_one(homes, monkeypatch):
    monkeypatch.setattr(background, "CENTRES", 1)
    X = np.column_stack([[0, 2, 2, 2, np.nan, 1], np.full(6, 10.0), np.ones(6)])
    np.testing.assert_array_equal(make_background(of_approved(homes, X)), [[2, 10, 1]])


def test_of_many_rows_a_part_is_clustered_the_same_each_time(loans, monkeypatch):
    monkeypatch.setattr(background, "CLUSTERED_ROWS", 200)
    centres = make_background(loans)
    np.testing.assert_array_equal(make_background(loans), centres)
    assert len(centres) <= CENTRES


def test_another_process_with_other_hashes_and_threads_makes_the_same_bytes(loans, loans_csv):
    here = make_background(loans).tobytes().hex()
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
    assert make_background(grouped)[:, 1].max() < 98
    with pytest.raises(DataError, match="2 groups by customer of split train are 'Granted', expected at least 5"):
        make_background(replace(of_approved(homes, X[:20]), contract=grouped.contract, keys=keys[:20]))
