"""From factories and rows to a fitted, calibrated pipeline and a threshold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from skl2onnx.sklapi import CastTransformer
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from loan_approval.datasets import ROLES, Dataset
from loan_approval.errors import DataError, FactoryError
from loan_approval.factories import find_factory
from loan_approval.model_factory import ModelFactory
from loan_approval.preprocessing_factory import PreprocessorFactory, output_directions
from serve.contract import Contract
from serve.scorer import TOLERANCE

FEWEST_PER_LABEL = 10  # rows of each label a role must have, twice the folds of the cross-validation


@dataclass(frozen=True)
class Recipe:
    """What a model follows from, beside commit, data and lock."""

    model_name: str
    preprocessor_name: str
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a JSON document."""
        return asdict(self)

    def model_factory(self) -> ModelFactory:
        """Return the model's factory. Raises FactoryError."""
        return find_factory(ModelFactory, self.model_name)

    def make_pipeline(self, contract: Contract) -> Pipeline:
        """Return the unfitted, uncalibrated pipeline from (n, F) float64. Raises FactoryError."""
        factory = self.model_factory()
        steps: list[tuple[str, BaseEstimator]] = [
            ("preprocess", find_factory(PreprocessorFactory, self.preprocessor_name).make(contract))
        ]
        if factory.learns_on_float32:
            steps.append(("cast", CastTransformer(dtype=np.float32)))
        model = factory.make(output_directions(contract), self.seed, self.parameters)
        return Pipeline([*steps, ("model", model)])


def fit(recipe: Recipe, dataset: Dataset) -> Pipeline:
    """Fit on the train rows, calibrate on the calibrate rows; the last step is the calibrator.

    Raises DataError when a role has too few rows of a label, FactoryError for an unusable recipe.
    """
    check_roles(dataset)
    check_width(recipe, dataset)
    X, y = dataset.rows("train")
    with threadpool_limits(1):  # one thread: the arithmetic has one order, a rebuild gives the same bytes
        pipeline = recipe.make_pipeline(dataset.contract).fit(X, y)
        recipe.model_factory().align_with_graph(pipeline.named_steps["model"])
        return _calibrate(pipeline, *dataset.rows("calibrate"))


def check_roles(dataset: Dataset) -> None:
    """Raise DataError when a role has too few rows of either label to learn from."""
    for role in ROLES:
        _, y = dataset.rows(role)
        for code in (0, 1):
            count = int(np.sum(y == code))
            if count < FEWEST_PER_LABEL:
                label = dataset.contract.label(code)
                raise DataError(
                    f"{dataset.name}: {count} rows of role {role} are {label!r}, expected at least {FEWEST_PER_LABEL}"
                )


def _calibrate(pipeline: Pipeline, X: np.ndarray, y: np.ndarray) -> Pipeline:
    head, model = pipeline[:-1], pipeline[-1]
    calibrator = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid", ensemble=False)
    calibrator.fit(head.transform(X), y)
    # skl2onnx can't convert the frozen wrapper, and it has done its work.
    calibrator.estimator = model
    for calibrated in calibrator.calibrated_classifiers_:
        calibrated.estimator = model
    return Pipeline([*head.steps, ("model", calibrator)])


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Return (n,) probabilities of approval."""
    with threadpool_limits(1):
        return pipeline.predict_proba(X)[:, 1].astype(np.float64)


def check_width(recipe: Recipe, dataset: Dataset) -> None:
    """Raise FactoryError when the preprocessor doesn't put out the columns that directions and names are made for."""
    X, _ = dataset.rows("train")
    columns = recipe.make_pipeline(dataset.contract).named_steps["preprocess"].fit_transform(X).shape[1]
    expected = len(output_directions(dataset.contract))
    if columns != expected:
        raise FactoryError(
            f"{recipe.preprocessor_name} puts out {columns} columns, expected {expected}: one a number, "
            "and one for each value of a category and for missing"
        )


def choose_threshold(
    y: np.ndarray, p: np.ndarray, every_p: np.ndarray, cost_wrong_approval: float, cost_wrong_denial: float
) -> float:
    """Return the approval threshold with the lowest cost on (y, p), midway between two neighbouring scores.

    y: (n,) codes.   p: (n,) probabilities of the same rows.   every_p: (m,) probabilities of all rows there are (their
    labels are not looked at): none of them comes to lie within the parity tolerance of the threshold.
    Costs are of one wrong approval and one wrong denial, > 0. Ties go to the cut nearest to the one that is best for
    perfectly calibrated p. Source: Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.
    """
    if cost_wrong_approval <= 0 or cost_wrong_denial <= 0:
        raise DataError(f"costs are {cost_wrong_approval} and {cost_wrong_denial}, expected both above 0")
    scores = np.unique(np.concatenate([every_p, p]))
    wide = np.diff(scores) > 4 * TOLERANCE
    cuts = ((scores[:-1] + scores[1:]) / 2)[wide]
    if not len(cuts):
        raise DataError("all rows score the same: there is no threshold between them")
    order = np.argsort(p)
    denied = np.searchsorted(p[order], cuts)
    wrong_denials = np.concatenate([[0], np.cumsum(y[order])])[denied]
    wrong_approvals = np.sum(y == 0) - np.concatenate([[0], np.cumsum(1 - y[order])])[denied]
    cost = cost_wrong_approval * wrong_approvals + cost_wrong_denial * wrong_denials
    ideal = cost_wrong_approval / (cost_wrong_approval + cost_wrong_denial)
    best = cuts[cost == cost.min()]
    return float(best[np.argmin(np.abs(best - ideal))])
