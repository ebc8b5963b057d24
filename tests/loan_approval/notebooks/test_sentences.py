"""What the sentences below the figures say."""

import numpy as np
import pandas as pd
import pytest

from loan_approval.evaluation.costs import Costs, name_errors
from loan_approval.evaluation.intervals import Interval
from loan_approval.evaluation.ranking import gains_table
from loan_approval.evaluation.reliability import Reliability
from loan_approval.notebooks import sentences

Y, DECIDED = np.array([0, 0, 1, 1]), np.array([1, 0, 1, 0])


@pytest.mark.parametrize(
    ("meaning", "words"),
    [("repaid", "a bad loan approved"), ("past_decision", "approving what the past decision denied")],
)
def test_errors_are_named_by_what_the_target_means(meaning: str, words: str) -> None:
    said = sentences.on_confusion(Y, DECIDED, name_errors(meaning))

    assert said.startswith(f"Of 4 rows, 1 (25.0%) are wrong approvals ({words}) and 1 (25.0%) wrong denials (")


def test_an_auc_is_said_as_the_chance_that_it_is() -> None:
    assert "labelled Approved scores higher in 87% of the cases" in sentences.on_roc(
        Interval(0.87, 0.8, 0.9), "Approved"
    )


@pytest.mark.parametrize(("low", "is_asked"), [(0.996, True), (0.94, False)])
def test_a_model_that_ranks_like_the_outcome_is_asked_what_its_features_knew(low: float, is_asked: bool) -> None:
    said = sentences.on_roc(Interval(0.999, low, 1.0), "Repaid")

    assert ("some features together may give the outcome away" in said) == is_asked


@pytest.mark.parametrize(
    ("ones", "zeros", "wrong", "words"),
    [
        (300, 300, 6, "92 to 98 % of the samples of this size."),
        (300, 300, 6, "Where many rows are copies of others, or belong to few customers, some held it in 89 %."),
        (300, 300, 5, "that of an average precision above 0.995 in as little as 74 %, as it may end too low."),
        (6, 300, 5, "in 89 to 99 %, and those of other metrics in 70 to 100 %, as 6 rows have the rarer label."),
        (190, 109, 4, "; those of costs in 90 to 99 %, as 4 of the rows are decided wrongly in one of the two ways."),
        (
            90,
            9,
            1,
            "9 rows have the rarer label and those of costs in 90 to 99 %, as 1 of the rows are decided wrongly in one",
        ),
    ],
)
def test_intervals_that_few_rows_make_too_narrow_or_too_wide_are_named(
    ones: int, zeros: int, wrong: int, words: str
) -> None:
    y = np.repeat([1, 0], [ones, zeros])
    decided = np.concatenate([np.zeros(wrong), y[wrong:-wrong], np.ones(wrong)])
    assert words in sentences.on_coverage(y, decided)


@pytest.mark.parametrize(("rows", "is_said"), [(299, True), (300, False)])
def test_a_threshold_that_few_rows_chose_has_an_interval_that_is_too_narrow(rows: int, is_said: bool) -> None:
    assert ("held the best threshold in 71 to 99 %" in sentences.on_threshold(rows)) == is_said


@pytest.mark.parametrize(("low", "words"), [(0.0, "chance alone explains it"), (0.01, "more than chance explains")])
def test_calibration_is_judged_against_chance(low: float, words: str) -> None:
    assert words in sentences.on_calibration(Reliability([], Interval(0.02, low, 0.04), 0.014))


def test_rows_near_the_threshold_are_counted() -> None:
    assert sentences.on_scores(np.array([0.1, 0.49, 0.52, 0.9]), 0.5).startswith("50.0% of the rows")


def test_costs_stand_beside_those_of_deciding_all_alike() -> None:
    said = sentences.on_costs(Y, DECIDED, Costs(4, 2), name_errors("repaid"))

    assert said == "Expected cost an application: 1.500; approving everybody would cost 2.000, nobody 1.000."


def test_without_a_band_nobody_is_referred() -> None:
    p = np.array([0.1, 0.45, 0.55, 0.9])

    assert "nobody is referred" in sentences.on_approvals(Y, p, 0.5, (0.5, 0.5))
    assert "50.0% are referred" in sentences.on_approvals(Y, p, 0.5, (0.4, 0.6))


def test_the_weightiest_features_and_the_idle_ones_are_named() -> None:
    said = sentences.on_importance(pd.Series({"Age": 0.001, "Income": 0.2, "Score": -0.3}))

    assert said == "Most weight have Score (-0.3), Income (0.2), Age (0.001). Next to none: Age."


def test_the_lowest_scores_are_said_to_hold_more_than_chance() -> None:
    table = gains_table(np.repeat([0, 1], [20, 80]), np.linspace(0, 1, 100))
    assert sentences.on_gains(table, "Denied") == (
        "The 10% of the rows with the lowest scores hold 50% of all Denied [31%, 69%], 5.0 times as many as by chance "
        "[3.1, 6.9]; 100% of them are Denied."
    )


def test_precision_and_recall_are_said_in_shares_of_the_approved_and_of_the_label() -> None:
    y, decided = np.array([1, 1, 1, 0]), np.array([1, 0, 1, 1])
    assert sentences.on_precision(y, decided, "Repaid") == (
        "66.7% of the approved are Repaid; 66.7% of all Repaid are approved."
    )
    assert sentences.on_precision(y, 0 * decided, "Repaid").startswith("Nobody is approved; 0.0%")


def test_only_a_slice_whose_interval_lies_above_all_rows_is_called_worse() -> None:
    slices = pd.DataFrame({"feature": ["age", "home"], "band": ["18 to 25", "own"], "rows": [400, 30]})
    slices["error_rate"] = [0.4, 0.3]
    said = sentences.on_slices(slices, 0.2, 80)
    assert said.startswith(
        "Wrong more often than all rows (20.0%) by more than the 95 % interval: age 18 to 25: 40.0%;"
    )
    assert said.endswith("by chance alone, about 2 of 80 slices would be.")
    assert sentences.on_slices(slices, 0.5, 80).startswith("No slice is wrong more often than all rows (50.0%)")
