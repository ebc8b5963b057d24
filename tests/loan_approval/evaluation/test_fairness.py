import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loan_approval.evaluation.fairness import (
    FEWEST_ROWS,
    approval_ratios,
    describe_fairness,
    describe_four_fifths,
    fairness_table,
    group_rows,
    measure_fairness,
    rate_gap,
)
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from tests.model_files import LOANS, MIXED

REGION = Feature("region", "category", values=("north", "south"))
AGE = Feature("age", "integer", min=18, max=100, elderly_from=62)


def made(north: int = 100, south: int = 100, approved_south: float = 0.5):
    """Return region, labels, probabilities and decisions: the north is approved in 8 of 10 rows."""
    region = pd.Series(["north"] * north + ["south"] * south, dtype=object)
    y = np.tile([0, 1], (north + south + 1) // 2)[: north + south]
    decided = np.zeros(north + south, dtype=int)
    decided[: int(0.8 * north)] = 1
    decided[north : north + int(approved_south * south)] = 1
    return region, y, 0.1 + 0.8 * decided, decided


def measure(region, y, p, decided):
    frame = pd.DataFrame({"amount": 1.0, "home": "own", "region": region})
    (found,) = measure_fairness(Contract.from_dict(MIXED), frame, y, p, decided)
    return found


def test_a_groups_figures_are_those_of_its_rows():
    region, y, p, decided = made()
    south = measure(region, y, p, decided)["groups"][1]
    rows = region.to_numpy() == "south"
    assert south["group"] == "south"
    assert south["rows"] == 100
    assert south["approval_rate"] == pytest.approx(0.5)
    assert south["true_positive_rate"] == pytest.approx(decided[rows & (y == 1)].mean())
    assert south["false_positive_rate"] == pytest.approx(decided[rows & (y == 0)].mean())
    assert south["mean_probability"] == pytest.approx(p[rows].mean())
    assert south["observed_rate"] == pytest.approx(0.5)


def test_the_ratio_is_of_a_group_to_the_largest_with_an_interval():
    found = measure(*made(north=110))
    north, south = found["groups"]
    assert found["reference"] == "north"
    assert north["ratio"] is north["call"] is None
    assert found["ratio"] == south["ratio"]
    assert found["ratio"]["value"] == pytest.approx(0.5 / 0.8)
    assert 0.45 < found["ratio"]["low"] < found["ratio"]["value"] < found["ratio"]["high"] < 0.85


def test_copies_of_rows_change_neither_ratio_nor_gap():
    region, y, p, decided = made()
    again = np.repeat(np.arange(200), 3)
    frame = pd.DataFrame({"amount": 1.0, "home": "own", "region": region.iloc[again].reset_index(drop=True)})
    (copied,) = measure_fairness(Contract.from_dict(MIXED), frame, y[again], p[again], decided[again], again)
    once = measure(region, y, p, decided)
    assert copied["ratio"] == pytest.approx(once["ratio"])
    for kind, gap in copied["gaps"].items():
        assert gap == pytest.approx(once["gaps"][kind])


def test_more_rows_narrow_the_interval():
    few, many = measure(*made())["ratio"], measure(*made(2000, 2000))["ratio"]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 2


@pytest.mark.parametrize("south", [FEWEST_ROWS - 1, FEWEST_ROWS])
def test_a_small_group_is_shown_and_not_compared(south):
    found = measure(*made(south=south))
    assert [group["rows"] for group in found["groups"]] == [100, south]
    assert (found["ratio"] is None) == (south < FEWEST_ROWS)


def test_where_nobody_is_approved_there_is_no_ratio():
    region, y, p, _ = made()
    assert measure(region, y, p, np.zeros(200, dtype=int))["ratio"] is None


def test_a_rate_without_rows_is_null_and_not_zero():
    region, _, p, decided = made()
    group = measure(region, np.ones(200, dtype=int), p, decided)["groups"][0]
    assert group["false_positive_rate"] is None
    assert group["true_positive_rate"] == pytest.approx(0.8)


def test_the_unknown_are_a_group_that_is_not_compared():
    region, y, p, decided = made()
    region[:60] = None  # all of them approved: the highest rate, were it compared
    found = measure(region, y, p, decided)
    assert [group["group"] for group in found["groups"]] == ["north", "south", "(missing)"]
    assert found["groups"][2]["approval_rate"] == 1
    assert found["ratio"]["value"] == pytest.approx(0.5 / 0.5)


def test_a_large_group_that_is_not_compared_does_not_move_the_ratio():
    codes, decided = np.repeat([0, 1, 2], [100, 101, 300]), np.repeat([1, 1, 0], [100, 101, 300])
    decided[:50] = 0
    equal = np.arange(501)
    assert approval_ratios(codes, decided, [0, 1], equal)[0]["ratio"]["value"] == pytest.approx(0.5)
    assert approval_ratios(codes, decided, [1, 2], equal) == {}  # nobody in the largest is approved
    assert approval_ratios(codes, decided, [1], equal) == {}


def test_the_gaps_are_the_largest_differences_in_error_rates():
    region, y, p, decided = made()
    found = measure(region, y, p, decided)
    north, south = found["groups"]
    for kind in ("true_positive_rate", "false_positive_rate"):
        gap = found["gaps"][kind]
        assert gap["value"] == pytest.approx(south[kind] - north[kind])
        assert gap["low"] < gap["value"] < gap["high"]
    assert "largest difference among rows with the favourable label -0.300 [" in describe_fairness(found)


@pytest.mark.parametrize("denied", [FEWEST_ROWS - 1, FEWEST_ROWS])
def test_a_group_with_few_rows_of_a_label_has_no_gap_in_its_rate(denied):
    codes, decided = np.repeat([0, 1, 2], [100, denied, 100]), np.ones(200 + denied, dtype=int)
    decided[100 : 100 + denied] = 0
    equal = np.arange(len(codes))
    assert abs(rate_gap(codes, decided, [0, 1, 2], equal).value) == (denied == FEWEST_ROWS)
    assert rate_gap(codes[:100], decided[:100], [0, 1, 2], equal[:100]) is None
    assert rate_gap(codes, decided, [], equal) is None


def test_protected_and_monitored_attributes_are_measured_and_no_other():
    contract, rows = Contract.from_dict(LOANS), 200
    frame = pd.DataFrame({f.name: np.full(rows, float(f.example)) for f in contract.features})
    y = np.tile([0, 1], rows // 2)
    found = measure_fairness(contract, frame, y, y * 0.5 + 0.2, y)
    assert [(each["attribute"], each["use"], each["protected"]) for each in found] == [("Age", "score", True)]
    bare = Contract.from_dict({**LOANS, "feature": [f for f in LOANS["feature"] if f["name"] != "Age"]})
    assert measure_fairness(bare, frame, y, y * 0.5, y) == []
    assert fairness_table([]).empty


def test_an_age_is_cut_where_it_becomes_elderly():
    groups = group_rows(AGE, pd.Series([70.0, 61.0, np.nan, 62.0, 18.0]))
    assert {name: rows.tolist() for name, rows in groups.items()} == {
        "under 62": [False, True, False, False, True],
        "62 and over": [True, False, False, True, False],
        "(missing)": [False, False, True, False, False],
    }


def test_another_number_is_cut_at_its_quantiles_in_rising_order():
    column = pd.Series(np.random.default_rng(0).permutation(np.arange(400.0)))
    groups = group_rows(Feature("n", "number", min=0, max=400), column)
    assert [rows.sum() for rows in groups.values()] == [100, 100, 100, 100]
    assert [column[rows].min() for rows in groups.values()] == [0, 100, 200, 300]


def test_a_category_keeps_the_contracts_order():
    column = pd.Series(["south", None, "north"], dtype=object)
    assert list(group_rows(REGION, column)) == ["north", "south", "(missing)"]


def test_a_group_whose_name_is_that_of_missing_values_is_compared_and_stands_apart():
    feature = Feature("region", "category", values=("(missing)", "north"), missing=True)
    groups = group_rows(feature, pd.Series(["north", None, "(missing)"], dtype=object))
    assert {name: rows.tolist().index(True) for name, rows in groups.items()} == {
        '"(missing)"': 2,
        "north": 0,
        "(missing)": 1,
    }


def test_dates_are_grouped_in_order_and_named_as_dates_with_the_missing_last():
    day = {"name": "asked", "type": "date", "range": ["2015-01-01", "2026-12-31"], "example": "2020-02-29"}
    groups = group_rows(Feature.from_dict(day), pd.Series([*range(0, 400), np.nan, np.nan], dtype=float))
    assert next(iter(groups)) == "2015-01-01 to 2015-04-10"
    assert list(groups)[-2:] == ["2015-10-28 to 2016-02-04", "(missing)"]
    assert [int(rows.sum()) for rows in groups.values()] == [100, 100, 100, 100, 2]


def test_a_group_belongs_to_its_rows_wherever_the_frame_was_cut_out():
    region, y, p, decided = made()
    later = region.set_axis(np.arange(1000, 1200))
    frame = pd.DataFrame({"region": later})
    (found,) = measure_fairness(Contract.from_dict(MIXED), frame, y, p, decided)
    assert found == measure(region, y, p, decided)


def test_the_evidence_is_json_and_the_table_has_a_row_a_group():
    found = [measure(*made())]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert fairness_table(found)[["attribute", "group"]].to_numpy().tolist() == [
        ["region", "north"],
        ["region", "south"],
    ]


@pytest.mark.parametrize(
    ("rows", "approved_south", "call"),
    [(1000, 0.5, "below four fifths"), (1000, 0.8, "at or above four fifths"), (100, 0.6, "unsure")],
)
def test_words_say_rates_rows_and_what_is_known_of_four_fifths(rows, approved_south, call):
    words = describe_fairness(measure(*made(rows, rows, approved_south)))
    assert words.startswith(f"region: approval rate 80.0% in the largest group (north, {rows:,} rows); south")
    assert f"], {call}; largest difference among rows" in words


def test_words_say_when_there_is_nothing_to_compare():
    words = describe_fairness(measure(*made(south=3)))
    assert words == "region: no two groups with 30 rows and an approval among them to compare."


@pytest.mark.parametrize(
    ("rows", "approved_south", "words"),
    [
        (1000, 0.5, "as the largest group: region: south (0.62)."),
        (1000, 0.8, "as the largest group: no group."),
        (100, 0.6, "as the largest group: no group; unsure: region: south (0.75)."),
    ],
)
def test_one_sentence_says_which_groups_lie_below_four_fifths(rows, approved_south, words):
    assert describe_four_fifths([measure(*made(rows, rows, approved_south))]).endswith(words)


def test_one_sentence_says_that_no_groups_can_be_compared():
    assert describe_four_fifths([measure(*made(south=3))]).startswith("No two groups")


def test_groups_are_named_in_the_contracts_words() -> None:
    region = replace(REGION, words={"en": {"south": "the south"}})
    assert list(group_rows(region, pd.Series(["south", "north", "south"]))) == ["north", "the south"]
    married = Feature("married", "integer", min=0, max=1, unit="0 = no, 1 = yes")
    assert list(group_rows(married, pd.Series([1.0, 0.0]))) == ["no", "yes"]
