from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from loan_approval.data.draft_feature import draft_feature

ROWS = 80


def draft(cell: Callable[[int], object], name: str = "x") -> dict[str, Any]:
    """Draft a column whose cells follow from the row; the labels alternate."""
    feature = draft_feature(name, [str(cell(row)) for row in range(ROWS)], np.arange(ROWS) % 2)
    assert isinstance(feature, dict)
    return feature


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (lambda row: row // 2, ("integer", 0, 50)),
        (lambda row: row // 2 + 20, ("integer", 10, 70)),
        (lambda row: -(row // 2), ("integer", -50, 0)),
        (lambda row: row // 2 / 4, ("number", 0, 11)),
        (lambda row: row // 2 / 1000 + 0.5, ("number", 0.49, 0.55)),
    ],
)
def test_numbers_get_a_type_and_round_bounds_a_little_beyond_what_was_seen(cell, expected):
    feature = draft(cell)
    assert (feature["type"], feature["min"], feature["max"]) == expected


def test_yes_and_no_as_numbers_keep_their_range():
    assert draft(lambda row: row // 2 % 2)["max"] == 1


def test_codes_with_leading_zeros_are_text():
    assert draft(lambda row: ("0123", "0456")[row // 2 % 2])["type"] == "category"


@pytest.mark.parametrize(
    "cell",
    [
        lambda row: row % 2 * 100 + row,
        lambda row: ("denied because", "fine")[row % 2],
        lambda row: (3, 1 + row // 2 % 2 * 6)[row % 2],
        lambda row: ("", row)[row % 2],
    ],
    ids=["size", "category", "code", "presence"],
)
def test_a_column_that_tells_the_target_is_monitored_and_asked_about(cell):
    feature = draft(cell)
    assert feature["use"] == "monitor"
    assert "AUC 1.00" in feature["question"]


@pytest.mark.parametrize("name", ["Age", "applicant_sex", "MaritalStatus", "Estado Civil", "Raça", "zip-code"])
def test_a_protected_name_is_monitored_and_asked_about(name):
    feature = draft(lambda row: row // 2, name)
    assert (feature["use"], feature["protected"]) == ("monitor", True)
    assert "question" in feature


def test_a_protected_number_is_asked_whether_it_is_an_age():
    assert "elderly_from = 62" in draft(lambda row: 20 + row // 2, "Age")["question"]
    assert "elderly_from" not in draft(lambda row: ("f", "m")[row % 2], "sex")["question"]


@pytest.mark.parametrize("name", ["mileage", "Loan_Amount", "stage", "Essex_Branch"])
def test_a_name_that_only_contains_a_protected_word_is_scored(name):
    assert draft(lambda row: row // 2, name)["use"] == "score"
