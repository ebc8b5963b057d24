"""From factories and rows to a fitted pipeline, calibrated where that helps, and how important each column is to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from skl2onnx.sklapi import CastTransformer
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from loan_approval.data.datasets import Dataset
from loan_approval.data.shape import check_labels
from loan_approval.errors import FactoryError
from loan_approval.evaluation.metrics import fast_auc
from loan_approval.training import calibration, factory
from serve.contract.contract import Contract

PERMUTATIONS, PERMUTED_ROWS = 5, 4000  # of a feature's importance
PERMUTED_CELLS = 400_000  # rows times features: more than 100 features are permuted over fewer rows


@dataclass(frozen=True)
class Recipe:
    """The choices that determine a model, beside commit, data and lock."""

    model_name: str
    preprocessor_name: str
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    calibration: str = "sigmoid"  # or "none"; the default is for old files, which record no choice

    def model_factory(self) -> factory.ModelFactory:
        """Return the model's factory. Raises FactoryError."""
        return factory.find_factory(factory.ModelFactory, self.model_name)

    def make_pipeline(self, contract: Contract) -> Pipeline:
        """Return the unfitted, uncalibrated pipeline from (n, F) float64. Raises FactoryError."""
        made_by = self.model_factory()
        preprocessor = factory.find_factory(factory.PreprocessorFactory, self.preprocessor_name).make(contract)
        cast = [("cast", CastTransformer(dtype=np.float32))] if made_by.learns_on_float32 else []
        model = made_by.make(factory.output_directions(contract), self.seed, self.parameters)
        return Pipeline([("preprocess", preprocessor), *cast, ("model", model)])


def fit(recipe: Recipe, dataset: Dataset) -> Pipeline:
    """Fit on the train rows; with calibration "sigmoid" the last step is a calibrator fitted on the calibrate rows.

    Raises DataError when a split has too few rows of a label, FactoryError for an unusable recipe.
    """
    calibration.check_calibration(recipe.calibration)
    pipeline = _fit_uncalibrated(recipe, dataset)
    if recipe.calibration == "none":
        return pipeline
    head, model = pipeline[:-1], pipeline[-1]
    X, y = dataset.rows("calibrate")
    with threadpool_limits(1):
        return Pipeline([*head.steps, ("model", calibration.fit_sigmoid(model, head.transform(X), y))])


def choose_calibration(
    recipe: Recipe, dataset: Dataset, choice: str = calibration.AUTO
) -> tuple[Recipe, calibration.CalibrationComparison]:
    """Return the recipe with its calibration set, and how the two compare on the calibrate rows.

    choice: "auto" takes that of `compare_calibrations`. The recipe itself is never "auto": a rebuild does
    the same and does not choose again. Raises DataError, FactoryError.
    """
    if choice != calibration.AUTO:
        calibration.check_calibration(choice)
    pipeline = _fit_uncalibrated(recipe, dataset)
    X, y = dataset.rows("calibrate")
    with threadpool_limits(1):
        compared = calibration.compare_calibrations(
            pipeline[-1], pipeline[:-1].transform(X), y, recipe.seed, dataset.units("calibrate")
        )
    return replace(recipe, calibration=compared.chosen if choice == calibration.AUTO else choice), compared


def _fit_uncalibrated(recipe: Recipe, dataset: Dataset) -> Pipeline:
    check_fit(recipe, dataset)
    X, y = dataset.rows("train")
    with threadpool_limits(1):  # one thread: the arithmetic has one order, a rebuild gives the same bytes
        pipeline = recipe.make_pipeline(dataset.contract).fit(X, y)
        recipe.model_factory().align_with_graph(pipeline.named_steps["model"])
        return pipeline


def check_fit(recipe: Recipe, dataset: Dataset) -> None:
    """Raise DataError when a split has too few units of a label to learn from.

    Raise FactoryError when the preprocessor's output has not one direction and one name a column.
    """
    check_labels(dataset)
    X, _ = dataset.rows("train")
    columns = recipe.make_pipeline(dataset.contract).named_steps["preprocess"].fit_transform(X).shape[1]
    expected = len(factory.output_directions(dataset.contract))
    if columns != expected:
        raise FactoryError(
            f"{recipe.preprocessor_name} puts out {columns} columns, expected {expected}: one a number, "
            "and one for each value of a category and for missing"
        )


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Return (n,) probabilities of approval."""
    with threadpool_limits(1):
        return pipeline.predict_proba(X)[:, 1].astype(np.float64)


def measure_importance(
    pipeline: Pipeline, contract: Contract, X: np.ndarray, y: np.ndarray, split: str, seed: int
) -> tuple[str, pd.Series]:
    """Return a title and the importance of each column.

    The model's own where it has one (coefficients, or impurity decrease), else the drop in AUC when a feature's values
    are permuted over (n, F) rows of this split. Of many rows some are taken, evenly spaced; the title says how many.
    """
    last = pipeline.named_steps["model"]
    model = last.estimator if isinstance(last, CalibratedClassifierCV) else last
    if hasattr(model, "coef_"):
        return "Coefficients, on preprocessed columns", pd.Series(model.coef_[0], factory.output_names(contract))
    if hasattr(model, "feature_importances_"):
        own = pd.Series(model.feature_importances_, factory.output_names(contract), dtype=float)
        return "The model's own importance, on preprocessed columns", own
    taken = min(len(y), PERMUTED_ROWS, max(1, PERMUTED_CELLS // X.shape[1]))
    chosen = np.linspace(0, len(y) - 1, taken).astype(int)
    rows = f"{split} rows" if taken == len(y) else f"{taken:,} of {len(y):,} {split} rows"
    drops = _drops_in_auc(pipeline, contract, X[chosen], y[chosen], seed)
    return f"Drop in AUC when permuted, {rows}", pd.Series(drops, [feature.name for feature in contract.scored])


def _drops_in_auc(pipeline: Pipeline, contract: Contract, X: np.ndarray, y: np.ndarray, seed: int) -> list[float]:
    """Return by how much AUC falls on (n, F) rows, on average, when a feature's values are permuted.

    The numbers are those of scikit-learn's `permutation_importance`. That preprocesses all columns for each
    permutation; here the rows are preprocessed once, as no column's preprocessing depends on another's.
    """
    rng = np.random.RandomState(np.random.RandomState(seed).randint(2**31))
    shuffled, order, orders = np.arange(len(y)), np.arange(len(y)), []
    for _ in range(PERMUTATIONS):  # each permutes what the one before has left
        rng.shuffle(shuffled)
        order = order[shuffled]
        orders.append(order)
    with threadpool_limits(1):
        rows = np.asfortranarray(pipeline[:-1].transform(X))  # trees read a few columns of all rows

        def measure(part: np.ndarray) -> float:
            return fast_auc(y, pipeline[-1].predict_proba(part)[:, 1])

        unchanged, permuted, drops = measure(rows), rows.copy(order="F"), []
        for columns in factory.output_columns(contract):
            aucs = []
            for order in orders:
                permuted[:, columns] = rows[order, columns]
                aucs.append(measure(permuted))
            permuted[:, columns] = rows[:, columns]
            drops.append(unchanged - float(np.mean(aucs)))
    return drops
