"""Reports call a feature by the contract's words."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.wording import feature_names, feature_titles, in_words, write_span
from serve.contract.feature import Feature


def test_a_feature_without_words_keeps_its_name() -> None:
    assert feature_names(SimpleNamespace(features=[Feature("apr", "number")])) == {"apr": "apr"}


def test_features_with_the_same_words_are_told_apart_by_their_names() -> None:
    features = [Feature(name, "number", reason={"en": "Pay"}) for name in ("PAY_1", "PAY_2")]
    assert list(feature_names(SimpleNamespace(features=features)).values()) == ["Pay (PAY_1)", "Pay (PAY_2)"]


def test_a_title_in_a_sentence_has_no_unit() -> None:
    contract = SimpleNamespace(features=[Feature("inc", "number", unit="euros", reason={"en": "Income"})])
    assert (feature_names(contract), feature_titles(contract)) == ({"inc": "Income (euros)"}, {"inc": "Income"})


def test_a_figures_table_has_the_words_of_features_and_values_and_keeps_the_target() -> None:
    default = Feature("default", "integer", unit="0 = no, 1 = yes", reason={"en": "Past default"})
    home = Feature("home", "category", values=("own", "one_family"), words={"en": {"one_family": "one family"}})
    income = Feature("income", "number", reason={"en": "Income"})
    frame = pd.DataFrame({"default": [0.0, 1.0, np.nan], "home": ["own", "one_family", None], "income": [1.5, 2, 3]})
    shown = in_words(frame.assign(repaid=[0, 1, 1]), SimpleNamespace(features=[default, home, income]))
    assert list(shown) == ["Past default", "home", "Income", "repaid"]
    assert shown.iloc[:, 0].tolist()[:2] == ["no", "yes"]
    assert shown["home"].tolist()[:2] == ["own", "one family"]
    assert shown.iloc[2, :2].isna().all()
    assert shown["Income"].tolist() == [1.5, 2, 3]
    assert shown["repaid"].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("unit", "numbers"),
    [
        ("months, 0 = never", [0.0, 3.0]),
        ("thousand dollars (1 = 1,000 USD)", [1.0, 2.5]),
        ("1 = worst to 5 = best", [1.0, 5.0]),
        ("share, 0.5 = half", [0.5, 5.0]),
        ("0 = no, 1 = yes", [0.0, 2.0]),
    ],
)
def test_numbers_stay_numbers_where_the_unit_does_not_say_what_each_of_them_means(unit: str, numbers: list) -> None:
    contract = SimpleNamespace(features=[Feature("n", "number", unit=unit)])
    assert in_words(pd.DataFrame({"n": numbers}), contract).iloc[:, 0].tolist() == numbers


def test_a_column_may_have_any_name() -> None:
    contract = SimpleNamespace(features=[Feature("self", "category", values=("no", "yes"))])
    assert list(in_words(pd.DataFrame({"self": ["no"], "frame": [1]}), contract)) == ["self", "frame"]


def test_a_number_below_zero_has_its_meaning() -> None:
    contract = SimpleNamespace(features=[Feature("n", "integer", unit="-1 = unknown, 0 = no, 1 = yes")])
    assert in_words(pd.DataFrame({"n": [-1.0, 1.0]}), contract).iloc[:, 0].tolist() == ["unknown", "yes"]


def test_a_figures_table_of_some_columns_has_no_others() -> None:
    frame = pd.DataFrame({"income": [1.0]})
    features = [Feature("income", "number"), Feature("age", "number")]
    assert list(in_words(frame, SimpleNamespace(features=features))) == ["income"]


@pytest.mark.parametrize(
    ("feature", "values", "text"),
    [
        (Feature("n", "number", min=0, max=1), (0.123456, 5000), "0.123456 to 5,000"),
        (Feature("year", "integer", min=1990, max=2030), [2001, 1999], "1999 to 2001"),
        (Feature("late", "integer", min=0, max=1, unit="0 = no, 1 = yes"), (0, 1), "no to yes"),
        (Feature("home", "category", values=("own",), words={"en": {"own": "their own"}}), ("own",), "their own"),
        (Feature("n", "number", min=0, max=1), [], ""),
    ],
)
def test_what_a_feature_holds_is_written_in_its_words(feature: Feature, values: list, text: str) -> None:
    assert write_span(feature, values) == text
