"""The one model that every server answers with, in the form that each of them loads, and the rows it is asked about."""

from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import mlflow.sklearn
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from loan_approval.data.datasets import Dataset, load_dataset
from loan_approval.data.simulate import make_applicants
from loan_approval.evaluation.costs import Costs
from loan_approval.project import LOCK, git_state, sha256_of
from loan_approval.training.background import make_background
from loan_approval.training.export import export, golden_rows
from loan_approval.training.fit import Recipe, fit, score
from loan_approval.training.threshold import choose_threshold
from serve.model.scorer import Scorer
from serve.store.store import Store
from tests.server_process import promote

SEED = 7
Row = dict[str, float | int]


@dataclass(frozen=True)
class Made:
    """A fitted model. `folder` holds it as `store/`, `model.onnx`, `named.joblib` (fitted on a DataFrame),
    `unnamed.joblib` (fitted on an array), `mlflow/`, and `uncalibrated.joblib`: `named.joblib` without its last step,
    the calibrator. At `uncalibrated_threshold` that decides as the others do at `threshold`.
    """

    folder: Path
    threshold: float
    uncalibrated_threshold: float


@dataclass(frozen=True)
class Questions:
    """Rows, and the code that each must be answered with."""

    rows: list[Row]
    codes: list[int]

    def first(self, n: int) -> "Questions":
        """Return the first n of them."""
        return Questions(self.rows[:n], self.codes[:n])


def make_model(name: str, folder: Path) -> Made:
    """Train `name` on the simulated loans and write it in every form; one fit's arithmetic is behind them all."""
    dataset = load_dataset("loans")
    recipe = Recipe(name, "median_imputer_with_scaler", SEED)
    unnamed = fit(recipe, dataset)
    columns = [feature.name for feature in dataset.contract.scored]
    named = fit(recipe, replace(dataset, X=pd.DataFrame(dataset.X, columns=columns)))
    threshold, uncalibrated_threshold = _thresholds(unnamed, dataset)
    provenance = {"dataset": "loans", "data_sha256": dataset.sha256, "lock_sha256": sha256_of(LOCK)} | git_state()
    decision, background = {"threshold": threshold}, make_background(dataset, unnamed, threshold)
    data = export(unnamed, recipe, dataset.contract, decision, provenance, background)
    folder.mkdir(parents=True)
    promote(Store(folder / "store"), data)
    (folder / "model.onnx").write_bytes(data)
    joblib.dump(named, folder / "named.joblib")
    joblib.dump(unnamed, folder / "unnamed.joblib")
    joblib.dump(_without_calibrator(named), folder / "uncalibrated.joblib")
    # Probabilities: the threshold is then the caller's to apply, and costs this server nothing.
    mlflow.sklearn.save_model(
        named, folder / "mlflow", serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba"
    )
    return Made(folder, threshold, uncalibrated_threshold)


def _without_calibrator(pipeline: Pipeline) -> Pipeline:
    *steps, (name, calibrator) = pipeline.steps
    return Pipeline([*steps, (name, calibrator.estimator)])


def _thresholds(pipeline: Pipeline, dataset: Dataset) -> tuple[float, float]:
    """Return the threshold, and the one at which the pipeline decides alike without its calibrator."""
    X, y = dataset.rows("calibrate")
    every_row = np.concatenate([dataset.X, golden_rows(dataset.contract)])
    every_p = score(pipeline, every_row)
    threshold = choose_threshold(y, score(pipeline, X), every_p, Costs(1.0, 1.0)).threshold.value
    # A sigmoid keeps the order of the rows, so the sorted scores stand beside each other.
    uncalibrated = np.sort(score(_without_calibrator(pipeline), every_row))
    return threshold, float(np.interp(threshold, np.sort(every_p), uncalibrated))


def make_questions(made: Made, n: int) -> Questions:
    """Return n different rows with no value missing, as not every server takes a null."""
    scorer = Scorer((made.folder / "model.onnx").read_bytes())
    integers = {feature.name for feature in scorer.contract.features if feature.type == "integer"}
    frame = make_applicants(n, np.random.default_rng(SEED))
    X = frame[[feature.name for feature in scorer.contract.scored]].to_numpy()
    rows = [{k: int(v) if k in integers else v for k, v in row.items()} for row in frame.to_dict("records")]
    return Questions(rows, scorer.decide(scorer.score(X)).tolist())
