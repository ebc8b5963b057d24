from dataclasses import replace

import numpy as np
import pytest

from serve.errors import ModelFileError
from serve.model.documents import MOST_BACKGROUND_ROWS, read_background, read_rule

ROW = [45, 85_000, 650, 25_000, 10, 5, 0]


def test_background_rows_are_read_with_null_as_nan_and_cannot_be_changed(loans):
    background, weights = read_background({"rows": [ROW, [None, *ROW[1:]]], "weights": [3, 1]}, loans)
    np.testing.assert_array_equal(background, [ROW, [np.nan, *ROW[1:]]])
    np.testing.assert_array_equal(weights, [0.75, 0.25])
    assert not background.flags.writeable
    assert not weights.flags.writeable


def test_background_rows_of_a_file_without_weights_count_alike(loans):
    np.testing.assert_array_equal(read_background({"rows": [ROW] * 4}, loans)[1], [0.25] * 4)


@pytest.mark.parametrize("rows", [None, [], [ROW] * (MOST_BACKGROUND_ROWS + 1)])
def test_background_rows_have_a_limited_number(loans, rows):
    with pytest.raises(ModelFileError, match="no list of 1 to 64 background rows"):
        read_background({"rows": rows}, loans)


def with_category(loans):
    """Return the contract with a single feature, a category of two names that may be missing."""
    home = replace(loans.features[0], name="home", type="category", values=("own", "rent"), missing=True)
    return replace(loans, features=(home,))


@pytest.mark.parametrize("code", [0, 1.0, None])
def test_a_category_in_the_background_is_its_index_or_missing(loans, code):
    assert read_background({"rows": [[code]]}, with_category(loans))[0].shape == (1, 1)


@pytest.mark.parametrize("code", [2, 0.5, True, "own"])
def test_a_category_in_the_background_with_another_value_is_refused(loans, code):
    with pytest.raises(ModelFileError, match="background row 0 breaks the contract at home"):
        read_background({"rows": [[code]]}, with_category(loans))


@pytest.mark.parametrize("threshold", [None, 0.0, 1.0, 1, "0.5", float("nan")])
def test_a_threshold_lies_between_0_and_1(threshold):
    assert read_rule({"threshold": 0.5})[0] == 0.5
    with pytest.raises(ModelFileError, match="no threshold between 0 and 1"):
        read_rule({"threshold": threshold})


@pytest.mark.parametrize("band", [[0.6, 0.7], [0.4, 0.45], [-0.1, 0.6], [0.4, 1.1], [0.7, 0.3]])
def test_a_review_band_holds_the_threshold(band):
    assert read_rule({"threshold": 0.5})[1] == (0.5, 0.5)
    assert read_rule({"threshold": 0.5, "review_band": [0.4, 1]})[1] == (0.4, 1.0)
    with pytest.raises(ModelFileError, match="low <= threshold <= high"):
        read_rule({"threshold": 0.5, "review_band": band})
