"""What a contract refuses is counted by column and rule."""

import pytest

from loan_approval.data.refused import LONGEST_NAME, Broken, Refused, break_columns, break_rules, break_widths
from serve.contract.fault import Fault
from serve.contract.feature import Feature

BROKEN = [
    Broken("shoe_size", "the column is not in the contract"),
    Broken("amount", "out of range", [3, 4]),
    Broken("home", "unknown category", [2, 3, 9]),
]


def test_a_row_that_breaks_two_rules_is_one_row() -> None:
    refused = Refused(10, BROKEN)
    assert refused.count() == 4
    assert refused.describe() == "4 of 10 rows break the contract, and 1 column as a whole."


def test_the_table_begins_with_whole_columns_and_then_counts_the_most_rows_first() -> None:
    assert [(line["column"], line["rows"], line["share"]) for line in Refused(10, BROKEN).table()] == [
        ("shoe_size", None, None),
        ("home", 3, 0.3),
        ("amount", 2, 0.2),
    ]


@pytest.mark.parametrize(
    ("broken", "words"),
    [([], "None of the 10 rows breaks the contract."), (BROKEN[1:2], "2 of 10 rows break the contract."),
     ([Broken("amount", "missing", [5])], "1 of 10 rows breaks the contract.")],
)  # fmt: skip
def test_the_count_is_said_in_words(broken: list[Broken], words: str) -> None:
    assert Refused(10, broken).describe() == words


def test_faults_of_a_column_are_put_together_by_their_kind() -> None:
    faults = {2: Fault("missing", "a number"), 5: Fault("out of range", "a number"), 7: Fault("missing", "a number")}
    assert break_rules("amount", faults) == [
        Broken("amount", "missing, expected a number", [2, 7]),
        Broken("amount", "out of range, expected a number", [5]),
    ]


def test_the_limits_of_a_rule_are_exact_and_have_their_thousands_separated() -> None:
    feature = Feature("rate", "number", min=0.123456, max=1_000_000)
    dated = Feature.from_dict({"name": "day", "type": "date", "range": ["2020-01-01", "2024-12-31"]})
    (rate,) = break_rules("rate", {2: Fault("out of range", feature.expected)})
    (day,) = break_rules("day", {2: Fault("not a date", dated.expected)})
    assert rate.rule == "out of range, expected a number from 0.123456 to 1,000,000"
    assert day.rule == f"not a date, expected {dated.expected}"


def test_a_columns_name_is_cut_as_it_may_be_anything() -> None:
    (found,) = break_columns([("x" * 500, "is not in the contract")])
    assert found == Broken("x" * LONGEST_NAME, "the column is not in the contract")


def test_rows_of_another_width_than_the_header_break_a_rule() -> None:
    assert break_widths({2: 3, 3: 2, 4: 3}, 3) == [Broken("rows", "expected 3 cells a row as in the header", [3])]
    assert break_widths({2: 3}, 3) == []
