"""Small data sets and the models made from them, each once a session; tests that change one work on a copy."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from loan_approval.data.datasets import Dataset, read_dataset
from loan_approval.data.simulate import write_simulation
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.thresholds import choose_review_band
from loan_approval.training.background import make_background
from loan_approval.training.export import export, golden_rows
from loan_approval.training.fit import Recipe, fit, score
from loan_approval.training.threshold import choose_threshold
from serve.contract.contract import Contract

ROOT = Path(__file__).parents[2]
PROVENANCE = {"dataset": "small", "data_sha256": "1" * 64, "lock_sha256": "2" * 64, "commit": "0" * 40, "changes": ""}
# What the loans contract has none of: a category, and a monitored feature.
HOMES = {
    **{"format": 1, "model_name": "homes_model", "experiment": "homes", "split_salt": "homes-1"},
    "target": {"name": "granted", "meaning": "repaid", "positive": "yes", "labels": {"no": "Denied", "yes": "Granted"}},
    "feature": [
        {"name": "home", "type": "category", "values": ["own", "rent", "other"], "missing": True, "example": "own"},
        {"name": "amount", "type": "number", "min": 0, "max": 100, "direction": -1, "example": 10},
        {"name": "region", "type": "category", "values": ["north", "south"], "use": "monitor", "example": "north"},
        {"name": "children", "type": "integer", "min": 0, "max": 9, "missing": True, "example": 1},
    ],
}


@dataclass(frozen=True)
class Made:
    """A fitted pipeline, the file exported from it, and what both follow from."""

    recipe: Recipe
    dataset: Dataset
    pipeline: Pipeline
    decision: dict[str, Any]
    background: tuple[np.ndarray, np.ndarray]
    data: bytes


@pytest.fixture(scope="session")
def loans_contract() -> Contract:
    return Contract.load(ROOT / "data/loans/contract.toml")


@pytest.fixture(scope="session")
def homes_contract() -> Contract:
    return Contract.from_dict(HOMES)


@pytest.fixture(scope="session")
def loans_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loans") / "dataset.csv"
    write_simulation(path, rows=1500, seed=1)
    return path


@pytest.fixture(scope="session")
def loans(loans_csv: Path, loans_contract: Contract) -> Dataset:
    return read_dataset(loans_csv, loans_contract, "loans")


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory, homes_contract: Contract) -> Dataset:
    path = tmp_path_factory.mktemp("homes") / "dataset.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(feature.name for feature in homes_contract.features), "granted"])
        writer.writerows(_home_rows(500, np.random.default_rng(3)))
    return read_dataset(path, homes_contract, "homes")


def _home_rows(rows: int, rng: np.random.Generator) -> list[list[object]]:
    made = []
    for _ in range(rows):
        home, amount = rng.choice(["own", "rent", "other", ""]), round(rng.uniform(0, 100), 2)
        granted = rng.random() < (0.9 if home == "own" else 0.5) - 0.004 * amount
        children = rng.choice(["", "0", "1", "2", "3"])
        made.append([home, amount, rng.choice(["north", "south"]), children, "yes" if granted else "no"])
    return made


@pytest.fixture(scope="session")
def noise(loans: Dataset) -> Dataset:
    """The loans with their labels shuffled: nothing to learn."""
    y = np.random.default_rng(6).permutation(loans.y)
    return replace(loans, name="noise", y=y, frame=loans.frame.assign(Loan_Approval=y))


@pytest.fixture(scope="session")
def make_model(loans: Dataset, homes: Dataset) -> Callable[..., Made]:
    """Return a function that fits and exports `model_name` on a data set named `loans` or `homes`, once each."""
    datasets = {"loans": loans, "homes": homes}

    @cache
    def make(
        dataset: str,
        model_name: str,
        preprocessor_name: str = "median_imputer_with_scaler",
        calibration: str = "sigmoid",
        review_width: float = 0.0,
    ) -> Made:
        recipe = Recipe(model_name, preprocessor_name, seed=7, calibration=calibration)
        return fit_and_export(recipe, datasets[dataset], review_width)

    return make


@pytest.fixture(scope="session")
def export_fitted() -> Callable[[Recipe, Dataset], Made]:
    return fit_and_export


def fit_and_export(recipe: Recipe, dataset: Dataset, review_width: float = 0.0) -> Made:
    pipeline = fit(recipe, dataset)
    X, y = dataset.rows("calibrate")
    every_p = score(pipeline, np.concatenate([dataset.X, golden_rows(dataset.contract)]))
    threshold = choose_threshold(y, score(pipeline, X), every_p, Costs(1.0, 1.0)).threshold.value
    decision = {"threshold": threshold, **choose_review_band(threshold, every_p, 1.0, 1.0, review_width)}
    background = make_background(dataset, pipeline, threshold)
    data = export(pipeline, recipe, dataset.contract, decision, PROVENANCE, background)
    return Made(recipe, dataset, pipeline, decision, background, data)
