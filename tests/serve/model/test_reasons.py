from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.contract.feature import Feature
from serve.model.reasons import LEAST_SHARE, MOST_REASONS, NOTHING, principal_reasons
from serve.model.shapley import Explanation

COMPARED = ": compared with approved applicants"
WORDS = {"en": "Credit score", "pt": "Pontuação de crédito"}
SCORE = Feature("Credit_Score", "integer", 300, 850, missing=True, direction=1, reason=WORDS)
FEATURES = [replace(SCORE, name=f"f{number}", reason={}) for number in range(6)]


def find(values, features=FEATURES, approved=False, row=None, middle=600.0):
    X = np.full((1, len(features)), 500.0) if row is None else np.array([row], dtype=np.float64)
    middles = np.full(len(features), middle)
    return principal_reasons(features, X, Explanation(0.0, np.array(values, dtype=np.float64), 0.0), middles, approved)


def names(reasons):
    return [reason.feature.name for reason in reasons]


def one(feature, value, approved=False, middle=600.0):
    return find([1.0 if approved else -1.0], [feature], approved, [value], middle)[0]


@pytest.mark.parametrize(
    ("approved", "expected"), [(False, ["f5", "f0", "f2", "f4"]), (True, ["f3", "f1"])], ids=["denied", "approved"]
)
def test_the_weightiest_reasons_come_first_and_there_are_at_most_four(approved, expected):
    assert names(find([-0.4, 0.1, -0.3, 2.0, -0.2, -0.5], approved=approved)) == expected


def test_what_does_not_matter_is_no_reason():
    assert names(find([-NOTHING, 0.0, -1e-12, -2e-5, NOTHING, 1.0])) == ["f3"]


def test_what_weighs_next_to_nothing_beside_the_weightiest_is_no_principal_reason():
    assert names(find([-3.6, 0.1, -0.007, -0.08, 0.2, -0.071])) == ["f0", "f3"]


def test_a_tie_up_to_rounding_is_broken_by_the_order_of_the_contract():
    third = 1 / 3
    assert names(find([-third, -third - 1e-12, -third + 1e-12, 0, -third, -0.5])) == ["f5", "f0", "f1", "f2"]


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6), st.booleans())
def test_nothing_that_is_left_out_outweighs_what_is_named(values, approved):
    reasons = find(values, approved=approved)
    sign = 1 if approved else -1
    named = [int(name[1:]) for name in names(reasons)]
    least = max(NOTHING, LEAST_SHARE * max(sign * value for value in values))
    against = [number for number in range(6) if sign * values[number] > least]
    assert len(named) == len(set(named)) == min(MOST_REASONS, len(against))
    assert set(named) <= set(against)
    lightest = min((sign * values[number] for number in named), default=0)
    assert all(sign * values[number] <= lightest + NOTHING for number in against if number not in named)
    assert reasons == find(values, approved=approved)


@pytest.mark.parametrize(
    ("feature", "value", "text"),
    [
        (SCORE, 500, "Credit score: too low"),
        (replace(SCORE, direction=-1), 700, "Credit score: too high"),
        (replace(SCORE, direction=0), 500, f"Credit score{COMPARED}"),
        (SCORE, 600, f"Credit score{COMPARED}"),  # half of the approved have no more: it can't be said to be too low
        (SCORE, 700, f"Credit score{COMPARED}"),
        (replace(SCORE, direction=-1), 600, f"Credit score{COMPARED}"),
        (replace(SCORE, min=0, max=1), 0, f"Credit score{COMPARED}"),
        (replace(SCORE, protected=True), 500, f"Credit score{COMPARED}"),
        (replace(SCORE, protected=True), np.nan, "Credit score: not given"),
        (replace(SCORE, elderly_from=700), np.nan, "Credit score: not given, and a higher one counts in favour"),
        (SCORE, np.nan, "Credit score: not given"),
        (Feature("home", "category", values=("own", "rent"), reason=WORDS), 1, f"Credit score{COMPARED}"),
    ],
)
def test_a_reason_says_as_much_as_is_known(feature, value, text):
    reason = one(feature, value)
    assert (reason.text("en"), reason.effect) == (text, "against")


@pytest.mark.parametrize(
    ("value", "approved", "text"),
    [
        (500, False, "Pontuação de crédito: abaixo do necessário"),
        (700, False, "Pontuação de crédito: em comparação com os pedidos aprovados"),
        (500, True, "Pontuação de crédito: favorável"),
        (np.nan, True, "Pontuação de crédito: sem informação"),
    ],
)
def test_a_reason_is_told_in_portuguese(value, approved, text):
    assert one(SCORE, value, approved).text("pt") == text


def test_a_value_that_is_missing_is_a_reason_of_its_own_with_a_code_of_its_own():
    for feature in (SCORE, replace(SCORE, elderly_from=700)):
        assert [one(feature, value).code for value in (500, np.nan)] == ["CREDIT_SCORE", "CREDIT_SCORE.MISSING"]


def test_the_document_of_a_reason_holds_no_value_of_the_applicant():
    document = one(SCORE, 517).to_dict(lambda text: text("en"))
    assert document == {
        **{"code": "CREDIT_SCORE", "feature": "Credit_Score", "effect": "against"},
        "text": "Credit score: too low",
    }


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_an_explanation_that_is_not_finite_is_an_error_and_not_an_empty_list(wrong):
    with pytest.raises(ArithmeticError):
        find([wrong, 0, 0, 0, 0, 0])


def test_where_the_feature_is_missing_in_all_background_rows_no_value_is_too_low():
    assert one(SCORE, 300, middle=np.nan).text("en") == f"Credit score{COMPARED}"
