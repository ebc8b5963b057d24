from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loan_approval.drift.drift import compare
from loan_approval.drift.measures import measure_feature, take_sample
from serve.contract.feature import Feature
from tests.loan_approval.drift.tables import CONTRACT, REFERENCE, find, make_table


def test_an_amount_in_thousands_is_severe() -> None:
    current = make_table(300, 3)
    current["debt"] /= 1000
    found = find(compare(REFERENCE, current, CONTRACT), "distribution", "debt")
    assert found.level == "severe"
    assert "median (quartiles) from 20" in found.words
    assert "to 0.02" in found.words
    low, high = (found.numbers[name] for name in ("psi_low", "psi_high"))
    assert f"by chance; beyond that {low:.3f} to {high:.3f})" in found.words
    assert 0.25 < low < found.numbers["psi"] - found.numbers["psi_by_chance"] < high


@pytest.mark.parametrize(("share", "level"), [(0.0, "ok"), (0.03, "warning"), (0.15, "severe")])
def test_a_jump_of_missing_cells_is_graded_by_its_size(share: float, level: str) -> None:
    current = make_table(5000, 3)
    current["years"] = current["years"].mask(np.arange(5000) < 5000 * share)
    assert find(compare(REFERENCE, current, CONTRACT), "missing", "years").level == level


def test_that_a_monitored_attribute_is_told_less_often_is_never_severe() -> None:
    reference = REFERENCE.assign(region="north")
    current = make_table(1000, 3).assign(region=[*["north"] * 500, *[None] * 500])
    assert find(compare(reference, current, CONTRACT), "missing", "region").level == "warning"


@pytest.mark.parametrize(("column", "value"), [("home", "boat"), ("debt", 1001.0), ("debt", "many"), ("debt", np.inf)])
def test_one_value_that_breaks_the_contract_is_severe(column: str, value: object) -> None:
    current = make_table(1000, 3)
    current[column] = current[column].astype(object)
    current.loc[7, column] = value
    found = find(compare(REFERENCE, current, CONTRACT), "range", column)
    assert (found.level, found.numbers["outside_contract"]) == ("severe", 1)


def test_a_category_the_reference_never_held_is_severe_though_the_contract_has_it() -> None:
    reference = REFERENCE.assign(home="own")
    current = make_table(1000, 3).assign(home=[*["rent"] * 20, *["own"] * 980])
    found = find(compare(reference, current, CONTRACT), "range", "home")
    assert (found.level, found.numbers["outside_reference"]) == ("severe", 20)


def test_a_single_number_beyond_what_the_reference_held_is_chance() -> None:
    current = make_table(1000, 3)
    current.loc[0, "debt"] = 1000.0
    found = find(compare(REFERENCE, current, CONTRACT), "range", "debt")
    assert (found.level, found.numbers["outside_reference"]) == ("ok", 1)


@pytest.mark.parametrize("lower", [True, False])
def test_a_column_that_was_constant_and_is_not_is_severe(lower: bool) -> None:
    current = make_table(1000, 3)
    constant = current["amount"].max() + 1 if lower else current["amount"].min() - 1
    findings = compare(REFERENCE.assign(amount=constant), current, CONTRACT)
    assert find(findings, "distribution", "amount").level == "severe"


def test_a_column_that_is_all_missing_now_is_severe_and_has_no_distribution() -> None:
    findings = compare(REFERENCE, make_table(1000, 3).assign(debt=np.nan, home=None), CONTRACT)
    for column in ("debt", "home"):
        assert find(findings, "missing", column).level == "severe"
        assert "0 known values" in find(findings, "distribution", column).words


def test_a_column_that_was_always_missing_is_compared_without_trouble() -> None:
    findings = compare(REFERENCE.assign(years=np.nan), make_table(1000, 3), CONTRACT)
    assert find(findings, "missing", "years").level == "severe"
    assert find(findings, "range", "years").level == "ok"


def test_of_a_flag_the_share_of_its_higher_value_is_said_and_not_a_mean() -> None:
    flag = Feature("late", "integer", min=0, max=1)
    before, now = (take_sample(flag, pd.Series([0.0, 1.0] * 50 + [value] * 100)) for value in (0.0, 1.0))
    assert "share with 1 from 25.0% to 75.0%" in measure_feature(flag, before, now)[0].words
    named = replace(flag, unit="0 = in time, 1 = too late")
    assert "share with too late from 25.0% to 75.0%" in measure_feature(named, before, now)[0].words


def test_of_a_category_the_share_of_the_value_that_moved_most_is_said_in_the_contracts_words() -> None:
    home = Feature("home", "category", values=("own", "for_free"), words={"en": {"for_free": "free of charge"}})
    before, now = (take_sample(home, pd.Series(["own"] * own + ["for_free"] * (99 - own))) for own in (90, 9))
    assert measure_feature(home, before, now)[0].words.endswith("share with own from 90.9% to 9.1%")
    turned = measure_feature(home, now, before)[0].words
    assert "for_free" not in turned
