from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from loan_approval.data.draft_feature import draft_feature
from serve.contract.feature import Feature

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


def test_one_text_beside_empty_cells_is_a_category_that_may_be_missing():
    feature = draft(lambda row: ("X", "")[row // 2 % 2])
    assert (feature["type"], feature["values"], feature["missing"]) == ("category", ["X"], True)
    for cell in ("7", "A remark about one person", "2020-01-01"):
        assert reason(lambda row, cell=cell: (cell, "")[row // 2 % 2]) == "one value in all rows that have one"
    assert reason(lambda row: "X" * (row == 3)) == "one value in all rows that have one"


def test_codes_with_leading_zeros_are_text():
    assert draft(lambda row: ("0123", "0456")[row // 2 % 2])["type"] == "category"


@pytest.mark.parametrize(
    "cell",
    [
        lambda row: row % 2 * 100 + row,
        lambda row: ("denied because", "fine")[row % 2],
        lambda row: (3, 1 + row // 2 % 2 * 6)[row % 2],
        lambda row: ("", row * 7)[row % 2],
    ],
    ids=["size", "category", "code", "presence"],
)
def test_a_column_that_tells_the_target_is_monitored_and_asked_about(cell):
    feature = draft(cell)
    assert feature["use"] == "monitor"
    assert "AUC 1.00" in feature["question"]


@pytest.mark.parametrize("name", ["Age", "applicant_sex", "MaritalStatus", "Estado Civil", "Raça", "zip-code"])
def test_a_protected_name_is_monitored_and_said_without_a_question(name):
    feature = draft(lambda row: row // 2, name)
    assert (feature["use"], feature["protected"]) == ("monitor", True)
    assert "watched and not scored" in feature["comment"]
    assert "question" not in feature


def test_what_a_scored_age_needs_is_named_whole():
    comment = draft(lambda row: 20 + row // 2, "Age")["comment"]
    assert "direction = 1" in comment
    assert "elderly_from = 62" in comment
    assert "elderly_from" not in draft(lambda row: ("f", "m")[row // 2 % 2], "sex")["comment"]


@pytest.mark.parametrize("name", ["mileage", "Loan_Amount", "stage", "Essex_Branch"])
def test_a_name_that_only_contains_a_protected_word_is_scored(name):
    assert draft(lambda row: row // 2, name).get("use", "score") == "score"


def reason(cell, name="x"):
    reason = draft_feature(name, [str(cell(row)) for row in range(ROWS)], np.arange(ROWS) % 2)
    assert isinstance(reason, str)
    return reason


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("anything", lambda row: 7000 + row, "a running number"),
        ("anything", lambda row: 900 - row, "a running number"),
        ("customer number", lambda row: 1000 + row * 7919 % 10007, "a different number in every row"),
        ("x", lambda row: f"person {row}", "text with 80 different values in 80 rows"),
        ("x", lambda row: {0: "N", 40: "S", 60: "W"}.get(row, ""), "text with 3 different values in 3 rows"),
        ("when", lambda row: f"2020Q{row // 2 % 4 + 1}", "a quarter or a week as its first day"),
        ("x", lambda row: "same", "one value in all rows"),
        ("x", lambda row: "", "no value at all"),
        ("x", lambda row: 10**17 + row * row, "numbers beyond 2**53"),
        ("when", lambda row: ("Apr-25", "May-25")[row // 2 % 2], "init again with --dates 'when=Mon-YY from 1930'"),
        ("when", lambda row: f"{row % 28 + 1}/12/98", "--dates 'when=DD/MM/YY from 1930'"),
        ("when", lambda row: ("2025-08-01", "01/08/2025")[row // 2 % 2], "(DD/MM/YYYY, YYYY-MM-DD): write them in one"),
        ("plz", lambda row: f"{'0' * (row % 9 == 0)}{1234 + row}", "text with 80 different values"),
        ("why", lambda row: f"to pay back the loan of my uncle {row}", "free text"),
        ("x", lambda row: row * row if row % 9 else f"about {row}", "a number but for 9 cells: about 0, about 18"),
    ],
)
def test_a_column_that_no_model_can_use_is_left_out_with_the_reason(name, cell, expected):
    assert expected in reason(cell, name)


def test_whole_numbers_that_all_differ_are_scored_unless_their_name_says_that_they_are_keys():
    assert draft(lambda row: 1000 + row * 7919 % 10007, "income")["type"] == "integer"


def test_the_frequent_ones_of_many_values_are_kept_and_the_others_are_grouped():
    cells = [f"street {row % 2}" if row < 44 else f"street {row}" for row in range(ROWS)]
    feature = draft_feature("x", cells, np.arange(ROWS) % 2)
    assert (feature["values"], feature["other"]) == (["street 0", "street 1", "(other)"], "(other)")
    assert "never seen" in feature["comment"]


def test_dates_become_a_feature_of_days_whose_range_is_wider_than_what_was_seen():
    feature = draft(lambda row: f"{2015 + row // 8}-08-{row % 8 + 1:02}", "Application_Date")
    assert (feature["type"], feature["as"], feature["since"]) == ("date", "days", "2014-01-01")
    assert feature["range"] == ["2014-01-01", "2025-12-31"]
    assert "as = 'year', 'month' or 'weekday'" in feature["comment"]
    assert Feature.from_dict({key: value for key, value in feature.items() if key != "comment"}).encode("2015-08-01")


def test_a_date_of_birth_is_watched_and_not_scored():
    feature = draft(lambda row: f"{1950 + row // 2}-08-01", "Data_Nascimento")
    assert (feature["type"], feature["use"], feature["protected"]) == ("date", "monitor", True)


def test_a_date_that_gives_the_label_away_is_asked_about():
    assert "AUC 1.00" in draft(lambda row: f"{1950 + row % 2 * 50}-08-{row // 4 + 1:02}")["question"]
