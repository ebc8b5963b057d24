import numpy as np
import pandas as pd
import pytest

from loan_approval.data.association import (
    association_matrix,
    describe_associations,
    describe_patterns,
    missing_patterns,
)

RNG = np.random.default_rng(3)


def texts(values):
    return pd.Series(values, dtype=object)


def test_numbers_are_compared_by_rank_whatever_the_sign():
    x = RNG.normal(size=400)
    matrix = association_matrix(pd.DataFrame({"x": x, "exp": np.exp(x), "minus": -x, "noise": RNG.normal(size=400)}))
    assert matrix.loc["x", "exp"] == pytest.approx(1)
    assert matrix.loc["x", "minus"] == pytest.approx(1)
    assert matrix.loc["x", "noise"] < 0.15
    assert np.allclose(matrix, matrix.T)
    assert (np.diag(matrix) == 1).all()


def test_cramers_v_of_the_same_category_is_one_and_of_independent_ones_is_not_biased_upwards():
    a = texts(RNG.choice(list("abcdefgh"), 200))
    independent = [
        association_matrix(pd.DataFrame({"a": a, "b": texts(RNG.choice(list("pqrstuvw"), 200))})).loc["a", "b"]
        for _ in range(50)
    ]
    assert association_matrix(pd.DataFrame({"a": a, "same": a.str.upper()})).loc["a", "same"] == pytest.approx(1)
    # Uncorrected, 49 degrees of freedom in 200 rows give sqrt(49 / 200 / 7) = 0.19 by chance alone.
    assert np.mean(independent) < 0.06


def test_a_category_that_orders_a_number_is_associated_with_it():
    number = np.arange(300.0)
    matrix = association_matrix(
        pd.DataFrame({"number": number, "third": texts(np.array(list("abc"))[(number // 100).astype(int)])})
    )
    assert matrix.loc["number", "third"] == pytest.approx(np.sqrt(8 / 9), abs=0.001)  # of uniform ranks in thirds


def test_a_constant_has_no_association_and_too_few_rows_have_none_to_show():
    frame = pd.DataFrame({"x": RNG.normal(size=50), "same": np.ones(50), "few": [1.0, 2.0, *[np.nan] * 48]})
    matrix = association_matrix(frame)
    assert matrix.loc["x", "same"] == 0
    assert np.isnan(matrix.loc["x", "few"])


def test_columns_that_are_missing_together_are_one_pattern():
    frame = pd.DataFrame({"a": [1, np.nan, np.nan, np.nan], "b": [1, np.nan, np.nan, 2], "c": [1.0, 2, 3, 4]})
    assert missing_patterns(frame).to_dict("records") == [
        {"missing": ("a", "b"), "rows": 2, "share": 0.5},
        {"missing": (), "rows": 1, "share": 0.25},
        {"missing": ("a",), "rows": 1, "share": 0.25},
    ]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([1, 2], [1, 2], "No row has an empty cell."),
        ([np.nan, 2], [1, np.nan], "No two columns are ever empty in the same row."),
        ([np.nan, 2], [np.nan, 2], "Several columns are empty at once in 1 row, most often a, b (1 row)."),
    ],
)
def test_whether_cells_are_missing_together_is_said(a, b, words):
    assert describe_patterns(missing_patterns(pd.DataFrame({"a": a, "b": b}, dtype=float))) == words


def test_nearly_equal_columns_are_named_and_otherwise_the_closest_pair():
    x = RNG.normal(size=300)
    matrix = association_matrix(pd.DataFrame({"income": x, "salary": x + 0.01, "age": RNG.normal(size=300)}))
    assert "income and salary (1.00)" in describe_associations(matrix)
    apart = association_matrix(pd.DataFrame({"income": x, "age": RNG.normal(size=300)}))
    assert "No two columns say nearly the same" in describe_associations(apart)
    assert describe_associations(association_matrix(pd.DataFrame({"x": x}))) == "There are no two columns to compare."
