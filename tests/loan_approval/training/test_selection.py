"""Selection never looks at test rows: their labels may say anything, and the file comes out the same to the byte."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.data.datasets import Dataset
from loan_approval.training.cross_validation import cross_validate
from loan_approval.training.fit import Recipe

RECIPES = [
    Recipe("logistic_regression", "median_imputer_with_scaler", seed=7),
    Recipe("hist_gradient_boosting", "median_imputer", seed=7, parameters={"max_iter": 10}),
]


def with_other_labels(dataset: Dataset, split: str) -> Dataset:
    """Return the data set with every label of one split turned round."""
    return replace(dataset, y=np.where(dataset.splits == split, 1 - dataset.y, dataset.y))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.model_name)
def test_labels_of_test_rows_change_neither_pipeline_nor_calibration_nor_threshold(
    loans: Dataset, export_fitted: Callable, recipe: Recipe
) -> None:
    ours, theirs = export_fitted(recipe, loans), export_fitted(recipe, with_other_labels(loans, "test"))
    assert theirs.decision == ours.decision
    assert theirs.data == ours.data  # graph, calibration, decision rule, golden scores


@pytest.mark.parametrize("split", ["train", "calibrate"])
def test_labels_of_the_other_rows_do_change_the_file(loans: Dataset, export_fitted: Callable, split: str) -> None:
    assert export_fitted(RECIPES[0], with_other_labels(loans, split)).data != export_fitted(RECIPES[0], loans).data


def test_labels_of_calibrate_and_test_rows_change_nothing_in_the_cross_validation(loans: Dataset) -> None:
    ours = cross_validate(RECIPES[0], loans, repeats=1, folds=3)
    for split in ("calibrate", "test"):
        theirs = cross_validate(RECIPES[0], with_other_labels(loans, split), repeats=1, folds=3)
        np.testing.assert_array_equal(theirs.p, ours.p)
