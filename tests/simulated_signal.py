"""Simulated data sets of known signal: none at all, or a weak one; a number fixes a set."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from loan_approval.data.datasets import Dataset
from loan_approval.data.simulate import MISSING, approval_probability, make_applicants
from loan_approval.data.splits import assign_splits, identify_rows
from serve.contract.contract import Contract

LOANS = Path(__file__).parents[1] / "data/loans/contract.toml"
WEAK_ROWS = 2_000
# Weight of the underwriter's standardised log-odds in the label's: models find it to an out-of-fold AUC of 0.60 on
# average, each at its own, as one needs a stronger signal than the other.
STRENGTHS = {"logistic_regression": 0.45, "hist_gradient_boosting": 0.47, "xgboost": 0.5, "random_forest": 0.41}
GAUSSIAN_FEATURES = 10
ROWS_OF_A_CUSTOMER = 5
MOST_REPEATED = 6_000  # rows; of more, a cross-validation starts processes, which a pool of processes can wait for
# What the tests run of each kind; `make bench-gates` runs 200, of which at most 5 and at least 180 are to pass.
SETS, MOST_NOISE, LEAST_WEAK = 20, 1, 18
MOST_SIGNAL_ALONE = 3  # of noise through the signal gate, which lets more of it through than its level says


def noise_set(number: int) -> Dataset:
    """Return 500 to 5,000 rows whose labels are coins; odd numbers: Gaussian features of another contract."""
    rng = np.random.default_rng([1, number])
    rows = int(rng.integers(500, 5_001))
    y = (rng.random(rows) < rng.uniform(0.2, 0.8)).astype(np.int64)
    if number % 2:
        X = np.clip(rng.standard_normal((rows, GAUSSIAN_FEATURES)), -9, 9)
        return _dataset(f"noise {number}", gaussian_contract(), X, y)
    return _dataset(f"noise {number}", loans_contract(), _with_missing(make_applicants(rows, rng), rng).to_numpy(), y)


def repeated_set(number: int, copies: int, most: int = MOST_REPEATED) -> Dataset:
    """Return rows of noise, a third of a noise set's, each of which stands so many times; at most so many rows."""
    noise = noise_set(number)
    rows = np.repeat(np.arange(min(len(noise.y) // 3, most // copies)), copies)
    X, y, frame = noise.X[rows], noise.y[rows], noise.frame.iloc[rows].reset_index(drop=True)
    return replace(noise, name=f"repeated noise {number}", X=X, y=y, frame=frame, splits=noise.splits[rows])


def grouped_set(number: int, most: int = MOST_REPEATED) -> Dataset:
    """Return customers with five rows each, at most so many rows: nearly equal, four in five with the customer's coin.

    The customer is the contract's group key.
    """
    rng, few = np.random.default_rng([3, number]), repeated_set(number, ROWS_OF_A_CUSTOMER, most)
    contract = replace(few.contract, split_by="customer")
    X = few.X * (1 + rng.normal(0, 1e-3, few.X.shape))
    y = np.where(rng.random(len(few.y)) < 0.8, few.y, rng.permutation(few.y))
    keys = np.array([f"c{row // ROWS_OF_A_CUSTOMER}" for row in range(len(y))], dtype=object)
    splits = assign_splits(identify_rows(X, contract.split_by, keys), contract.split_salt)
    return replace(few, name=f"grouped noise {number}", contract=contract, X=X, y=y, splits=splits, keys=keys)


def weak_set(number: int, strength: float) -> Dataset:
    """Return 2,000 loan applications whose labels follow the simulated underwriter's a little."""
    rng = np.random.default_rng([2, number])
    applicants = make_applicants(WEAK_ROWS, rng)
    signal = logit(np.clip(approval_probability(applicants), 1e-6, 1 - 1e-6))
    signal = (signal - signal.mean()) / signal.std()
    p = expit(logit(rng.uniform(0.3, 0.7)) + strength * signal)
    y = (rng.random(WEAK_ROWS) < p).astype(np.int64)
    return _dataset(f"weak {number}", loans_contract(), _with_missing(applicants, rng).to_numpy(), y)


@cache
def loans_contract() -> Contract:
    """Return the contract of the built-in loans."""
    return Contract.load(LOANS)


@cache
def gaussian_contract() -> Contract:
    """Return a contract of numbers without a direction."""
    numbers = [{"name": f"x{i}", "type": "number", "min": -9, "max": 9, "example": 0} for i in range(GAUSSIAN_FEATURES)]
    return Contract.from_dict(
        {
            **{"format": 1, "model_name": "gaussian", "experiment": "gaussian", "split_salt": "gaussian-1"},
            "target": {"name": "y", "meaning": "past_decision", "positive": 1, "labels": {"0": "No", "1": "Yes"}},
            "feature": numbers,
        }
    )


def _with_missing(applicants: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return applicants.assign(
        **{name: applicants[name].mask(rng.random(len(applicants)) < share) for name, share in MISSING.items()}
    )


def _dataset(name: str, contract: Contract, X: np.ndarray, y: np.ndarray) -> Dataset:
    frame = pd.DataFrame(X, columns=[feature.name for feature in contract.features])
    frame[contract.target.name] = y
    return Dataset(name, contract, frame, X, y, assign_splits(identify_rows(X), contract.split_salt), sha256="")
