"""The plainest model on the same rows: logistic regression, whose every weight can be read.

A model that is harder to explain should rank better than it, or cost less.
"""

import numpy as np

from loan_approval.data.datasets import Dataset
from loan_approval.evaluation.comparison import Answers, Comparison
from loan_approval.evaluation.costs import Costs
from loan_approval.training.fit import Recipe, choose_calibration, fit, score
from loan_approval.training.threshold import choose_threshold

NAME, PREPROCESSOR = "logistic_regression", "median_imputer_with_scaler"


def decide_plainly(dataset: Dataset, costs: Costs, split: str, seed: int) -> Answers:
    """Return (n,) probabilities and codes of the rows with this split, by a logistic regression.

    It learns, is calibrated and gets its threshold as every model here: from the train and calibrate rows, by `costs`.
    """
    recipe, _ = choose_calibration(Recipe(NAME, PREPROCESSOR, seed), dataset)
    pipeline = fit(recipe, dataset)
    X, y = dataset.rows("calibrate")
    p, every_p = score(pipeline, X), score(pipeline, dataset.X)
    threshold = choose_threshold(y, p, every_p, costs, dataset.units("calibrate")).threshold.value
    judged = score(pipeline, dataset.rows(split)[0])
    return judged, (judged >= threshold).astype(np.int64)


def describe_gain(model_name: str, gained: Comparison) -> str:
    """Return in one sentence what a model gains on the plain one, and whether it is worth its weight."""
    auc, saved = gained.auc, gained.cost.saved
    numbers = f"AUC gained {auc}, cost saved an application {saved}"
    if model_name == NAME:
        return f"It is a logistic regression itself; against one with imputed and scaled values: {numbers}."
    gains = ["ranks better"] * (auc.low > 0) + ["costs less"] * (saved.low > 0)
    losses = ["ranks worse"] * (auc.high < 0) + ["costs more"] * (saved.high < 0)
    if gains and losses:
        verdict = f"{gains[0]} but {losses[0]} than logistic regression"
    elif gains:
        verdict = f"{' and '.join(gains)} than logistic regression by more than chance"
    elif losses:
        verdict = "is worse than logistic regression: take the plain model"
    else:
        verdict = "is no clear gain on logistic regression, whose every weight can be read"
    return f"{model_name} {verdict}: {numbers}."
