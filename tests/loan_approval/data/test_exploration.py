import re
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.data.exploration import (
    advise,
    columns_left_out,
    describe_alone,
    describe_columns,
    describe_kept,
    describe_missing,
    describe_values,
    findings,
    leakage_hints,
    target_association,
)
from loan_approval.data.refused import Broken, Refused
from loan_approval.project import ROOT
from serve.contract.feature import Feature


@pytest.fixture
def leaking(loans):
    """The loans with the number of accounts replaced by the decision."""
    return replace(loans, frame=loans.frame.assign(Number_of_Open_Accounts=loans.y.astype(float)))


def test_each_feature_has_its_claim_beside_what_the_data_hold(homes):
    table = describe_columns(homes).set_index("feature")
    assert list(table.index) == ["home", "amount", "region", "children"]
    assert table.loc["home", ["allowed", "in the data"]].tolist() == ["own, rent, other", "other, own, rent"]
    assert table.loc["children", ["allowed", "in the data"]].tolist() == ["0 to 9", "0 to 3"]
    assert table.loc["region", "use"] == "monitor"
    assert table.loc["home", "missing %"] == pytest.approx(100 * homes.frame["home"].isna().mean(), abs=0.01)


def test_a_column_without_any_value_is_described(homes):
    empty = replace(homes, frame=homes.frame.assign(children=np.nan, home=None))
    table = describe_columns(empty).set_index("feature")
    assert table.loc[["children", "home"], "in the data"].tolist() == ["", ""]
    assert table.loc[["children", "home"], "missing %"].tolist() == [100, 100]


def test_the_strongest_feature_comes_first(loans):
    table = target_association(loans)
    assert table["auc"].is_monotonic_decreasing
    assert table["feature"][0] == "Credit_Score"
    assert table["auc"].between(0.5, 1).all()


def test_a_feature_that_only_one_label_has_is_described_without_a_warning(homes):
    only_denied = replace(homes, frame=homes.frame.assign(children=np.where(homes.y == 0, homes.X[:, 1], np.nan)))
    assert np.isnan(target_association(only_denied).set_index("feature").loc["children", "spearman"])


def test_a_feature_that_lowers_the_score_is_as_strong_as_one_that_raises_it(homes):
    table = target_association(homes).set_index("feature")
    assert table.loc["amount", "spearman"] < 0
    assert table.loc["amount", "auc"] > 0.5


def test_a_category_is_ranked_by_its_approval_rate(homes):
    assert target_association(homes).set_index("feature").loc["home", "auc"] > 0.6


def test_the_test_rows_labels_stay_unseen(loans):
    shuffled = np.where(loans.splits == "test", 1 - loans.y, loans.y)
    changed = replace(loans, y=shuffled, frame=loans.frame.assign(Loan_Approval=shuffled))
    assert target_association(changed).equals(target_association(loans))
    assert findings(changed) == findings(loans)


def test_a_column_that_tells_the_decision_is_flagged(leaking):
    assert leakage_hints(leaking) == [
        "Number of open accounts alone ranks with AUC 1.000: is it known when an application comes in?"
    ]


def test_the_findings_say_size_gaps_strength_and_leaks(loans):
    size, gaps, strong, leaks = findings(loans)
    assert re.fullmatch(
        r"1,500 applications, \d\d\.\d% of train and calibrate Approved; \d+ train, \d+ calibrate, \d+ test rows\.",
        size,
    )
    assert gaps.startswith("Missing: Number of open accounts ")
    assert "Age " in gaps
    assert "Credit score" in strong
    assert leaks == "No sign of leakage."


def test_a_leak_is_among_the_findings(leaking):
    assert any("is it known when an application comes in?" in finding for finding in findings(leaking))


def test_nothing_missing_and_nothing_strong_is_said_too(noise):
    whole = replace(noise, frame=noise.frame.fillna(1.0))
    _, gaps, strong, _ = findings(whole)
    assert gaps == "Nothing is missing."
    assert strong.startswith("No feature by itself ranks")


def test_a_category_without_effect_does_not_look_strong_however_many_values_it_has(loans):
    rng = np.random.default_rng(8)
    branches = tuple(f"branch {i}" for i in range(400))
    features = (*loans.contract.features[1:], replace(loans.contract.features[0], type="category", values=branches))
    noise = loans.frame.assign(Age=rng.choice(np.array(branches, dtype=object), len(loans.y)))
    found = target_association(replace(loans, contract=replace(loans.contract, features=features), frame=noise))
    assert abs(found.set_index("feature").loc["Age", "auc"] - 0.5) < 0.06  # by its own rows' rates: 0.8


def test_values_are_described_by_quartiles_and_categories_by_their_most_frequent(homes):
    table = describe_values(homes.frame, homes.contract).set_index("feature")
    assert table.loc["amount", "median"] == pytest.approx(homes.frame["amount"].median())
    counts = homes.frame["home"].value_counts(normalize=True)
    assert table.loc["home", "most frequent"] == f"{counts.index[0]} ({counts.iloc[0]:.1%})"
    assert table["known"].tolist() == homes.frame[list(table.index)].notna().sum().tolist()


def test_what_is_missing_is_said_with_the_column_that_lacks_most(homes):
    assert describe_missing(homes.frame[["amount"]]) == "Nothing is missing."
    assert f"most are in {homes.frame.isna().mean().idxmax()}" in describe_missing(homes.frame)


def test_what_is_strong_alone_is_named_in_the_contracts_words(loans):
    table = target_association(loans)
    assert "Credit score" in describe_alone(table, {"Credit_Score": "Credit score"})
    assert describe_alone(table.assign(auc=0.5), {}).startswith("No feature by itself")


def test_columns_that_are_no_part_of_the_data_are_listed_with_the_reason(loans, homes):
    contract = replace(
        homes.contract, refused=(Feature("sex", "category"),), source={"left_out": {"id": "a number a row"}}
    )
    assert columns_left_out(contract) == [
        {"column": "sex", "why": "the contract refuses it"},
        {"column": "id", "why": "a number a row"},
    ]
    assert columns_left_out(loans.contract) == []


def test_what_was_refused_is_the_first_finding_and_nothing_is_said_where_nothing_was():
    first, advice = describe_kept(Refused(10, [Broken("amount", "out of range", [3])]))
    assert first == "1 of 10 rows breaks the contract."
    assert "Training stops" in advice
    assert describe_kept(Refused(10, [])) == []


def test_large_limits_are_written_out(loans):
    assert describe_columns(loans).set_index("feature").loc["Annual_Income", "allowed"] == "0 to 5,000,000"


def test_what_to_do_next_is_said_the_worst_hindrance_first(homes, leaking):
    nothing, broken = Refused(9, []), Refused(9, [Broken("amount", "out of range", [2])])
    assert advise(homes, nothing, "boston") == "Nothing here stands against training: make train DATASET=boston"
    assert advise(leaking, nothing, "boston").startswith("First ask whether what ranks so well")
    assert advise(leaking, broken, "boston").startswith("First mend what the contract refuses")


def test_too_few_rows_and_open_questions_stand_against_training(homes, tmp_path):
    few, nothing = replace(homes, y=np.zeros_like(homes.y)), Refused(9, [])
    assert advise(few, nothing, "boston").startswith("First get more rows: training will refuse these. 0 ")
    text = (ROOT / "data/boston/contract.toml").read_text()
    (tmp_path / "contract.toml").write_text(text.replace("[target]", '[target]\nquestion = "Which?"', 1))
    assert advise(homes, nothing, str(tmp_path)).startswith("First answer the questions in contract.toml")


def test_the_first_screen_names_a_few_of_many_columns(loans):
    features = loans.frame.columns.drop(loans.contract.target.name)
    gaps = loans.frame.assign(**{name: loans.frame[name].mask(loans.frame.index == 0) for name in features})
    (missing,) = (each for each in findings(replace(loans, frame=gaps)) if each.startswith("Missing: "))
    assert missing.count("%") == 5
    assert missing.endswith("and 2 more.")


def test_years_flags_and_categories_are_described_as_a_reader_writes_them(homes):
    year = Feature("children", "integer", min=1990, max=2030, missing=True)
    named = {"home": replace(homes.contract.features[0], words={"en": {"own": "their own"}}), "children": year}
    features = tuple(named.get(each.name, each) for each in homes.contract.features)
    described = replace(homes, contract=replace(homes.contract, features=features))
    frame = homes.frame.assign(children=2021.0, home="own")
    values = describe_values(frame, described.contract).set_index("feature")
    assert values.loc["children", ["mean", "least", "most"]].tolist() == ["2021"] * 3
    assert values.loc["home", "most frequent"] == "their own (100.0%)"
    assert describe_columns(described).set_index("feature").loc["children", "allowed"] == "1990 to 2030"
