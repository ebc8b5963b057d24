import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.contract.contract import Contract
from serve.model.counterfactual import MOST_WHOLE, POINTS, find_counterfactuals, write_number
from serve.model.scorer import Scorer
from serve.model.trees import read_trees
from tests.encoded_rows import draw_rows


class Rule:
    """What a search needs of a scorer: a contract of one actionable feature, and a rule that says what is approved."""

    def __init__(self, approves, low=0, high=100, kind="integer", band=(0.5, 0.5), **rest):
        values = rest.pop("values", None)
        limits = {"values": values, "example": values[0]} if values else {"min": low, "max": high, "example": low}
        feature = {"name": "x", "type": kind, "missing": True, "actionable": True} | limits | rest
        self.contract = Contract.from_dict(
            {
                **{"format": 1, "model_name": "m", "experiment": "e", "split_salt": "s"},
                "target": {"name": "y", "meaning": "repaid", "positive": 1, "labels": {"0": "No", "1": "Yes"}},
                "feature": [feature, {"name": "fixed", "type": "number", "min": 0, "max": 9, "example": 1}],
            }
        )
        self.approves, self.review_band, self.rows = approves, band, 0

    def score(self, X):
        self.rows += len(X)
        assert np.all(X[:, 1] == 1)  # everything else equal
        return np.vectorize(lambda x: float(self.approves(x)), otypes=[np.float64])(X[:, 0])


def find(rule, value):
    return [(change.claim, change.value) for change in find_counterfactuals(rule, np.array([[value, 1.0]]))]


@pytest.mark.parametrize(
    ("approves", "now", "direction", "expected"),
    [
        (lambda x: x >= 64, 10, 1, [("from", 64)]),
        (lambda x: x <= 20, 90, -1, [("to", 20)]),
        (lambda x: x >= 64, 10, 0, [("from", 64)]),  # every whole number was looked at
        (lambda x: 30 <= x <= 50, 10, 1, [("at", 30)]),  # the model breaks its direction: nothing is said of beyond
        (lambda x: x in (8, 13), 10, 0, [("at", 8)]),
        (lambda x: x in (7, 13), 10, 0, [("at", 7)]),  # as near as the other: the lower one
        (lambda x: x == 100, 10, 1, [("at", 100)]),  # nothing lies beyond
        (lambda x: x in (2, 13), 10, 0, [("at", 13)]),
        (lambda x: False, 10, 1, []),
        (lambda x: x >= 64, np.nan, 1, [("from", 64)]),
        (lambda x: x <= 20, np.nan, -1, [("to", 20)]),
        (lambda x: not np.isnan(x), np.nan, 1, [("from", 0)]),
        (lambda x: not np.isnan(x), np.nan, -1, [("to", 100)]),
        (lambda x: x == 40, np.nan, 0, [("at", 40)]),
    ],
)
def test_the_nearest_whole_number_is_found_and_only_scanned_values_are_claimed(approves, now, direction, expected):
    assert find(Rule(approves, direction=direction), now) == expected


@pytest.mark.parametrize(
    ("border", "now", "direction", "expected"),
    [
        (112_437.31, 85_000, 1, ("from", 112_500)),
        (24_318.9, 85_000, -1, ("to", 24_310)),
        (0.0, 85_000, -1, ("at", 0)),
        (5_000_000.0, 85_000, 1, ("at", 5_000_000)),
        (112_437.31, 85_000, 0, ("at", 112_500)),  # no more than some numbers were looked at
    ],
)
def test_a_number_is_rounded_to_an_approved_value(border, now, direction, expected):
    upwards = border > now
    rule = Rule(
        lambda x: x >= border if upwards else x <= border, high=5_000_000, kind="number", direction=direction, unit="R$"
    )
    assert find(rule, now) == [expected]


@pytest.mark.parametrize(
    ("border", "now", "direction", "claim"), [(34_500.00004, 85_000, -1, "to"), (34_499.99996, 10_000, 1, "from")]
)
def test_the_answer_is_the_nearest_approved_number_with_few_digits(border, now, direction, claim):
    rule = Rule(lambda x: (x - border) * direction >= 0, high=100_000, kind="number", direction=direction)
    assert find(rule, now) == [(claim, 34_500)]


def test_a_number_near_the_end_of_its_range_is_not_rounded_out_of_it():
    ((_, value),) = find(Rule(lambda x: x >= 0.12345678, high=0.12346, kind="number", direction=1), 0.0)
    assert 0.12345678 <= value <= 0.12346


def test_a_number_is_not_rounded_out_of_what_is_approved():
    seen = 7 * 100 / (POINTS - 1)  # one of the numbers that are looked at, 1.36986…
    rule = Rule(lambda x: abs(x - seen) <= 1e-5, kind="number")
    ((claim, value),) = find(rule, 1.0)
    assert claim == "at"
    assert rule.approves(value)


def test_a_long_range_of_whole_numbers_is_refined_to_the_nearest_one():
    rule = Rule(lambda x: x >= 1_234_567, high=10**9, direction=1)
    assert find(rule, 3) == [("from", 1_234_567)]
    assert rule.rows < 4096


@pytest.mark.parametrize(("now", "expected"), [(0, [("one_of", ["b", "c"])]), (np.nan, [("one_of", ["b", "c"])])])
def test_every_other_approved_category_is_returned(now, expected):
    assert find(Rule(lambda x: x in (1, 2), kind="category", values=["a", "b", "c", "d"]), now) == expected


def test_an_approved_category_is_named_in_the_language():
    rule = Rule(lambda x: x > 0, kind="category", values=["a", "b", "c"], words={"pt": {"b": "bê"}})
    (change,) = find_counterfactuals(rule, np.array([[0.0, 1.0]]))
    assert (change.text("pt"), change.value) == ("x: aprovado com bê ou c, mantido todo o resto", ["b", "c"])


@pytest.mark.parametrize(("rest", "row"), [({"actionable": False}, [10.0, 1.0]), ({"use": "monitor"}, [1.0])])
def test_features_that_are_not_actionable_or_not_scored_have_no_counterfactual(rest, row):
    rule = Rule(lambda x: x >= 64, **rest)
    assert find_counterfactuals(rule, np.array([row])) == []


def test_approved_means_that_nobody_needs_to_review_it(model_file):
    scorer = Scorer(model_file("loans_reviewed"))
    X = scorer.contract.encode(scorer.contract.example())
    changes = {change.feature.name: change.value for change in find_counterfactuals(scorer, X)}
    X[0, 2] = changes["Credit_Score"]
    assert scorer.score(X)[0] >= scorer.review_band[1]
    X[0, 2] -= 1
    assert scorer.threshold < scorer.score(X)[0] < scorer.review_band[1]


def test_a_category_with_a_single_name_has_no_counterfactual():
    assert find(Rule(lambda x: True, kind="category", values=["a"]), 0) == []


@pytest.mark.parametrize(
    ("claim", "en", "pt"),
    [
        ("from", "x: approved from 64 upwards, everything else equal", "X: aprovado a partir de 64"),
        ("to", "x: approved up to 20, everything else equal", "X: aprovado até 20"),
        ("at", "x: approved at 100, everything else equal", "X: aprovado com 100"),
    ],
)
def test_a_change_has_a_text_and_a_unit(claim, en, pt):
    rules = {"from": (lambda x: x >= 64, 1), "to": (lambda x: x <= 20, -1), "at": (lambda x: x == 100, 1)}
    approves, direction = rules[claim]
    rule = Rule(approves, direction=direction, unit="points", reason={"pt": "X"})
    (change,) = find_counterfactuals(rule, np.array([[50.0, 1.0]]))
    assert change.text("en") == en
    assert change.text("pt") == f"{pt}, mantido todo o resto"
    assert change.to_dict(lambda text: text("en")) == {
        **{"feature": "x", claim: change.value, "unit": "points"},
        "text": en,
    }


def test_categories_have_a_text():
    (change,) = find_counterfactuals(
        Rule(lambda x: x > 0, kind="category", values=["a", "b", "c"]), np.array([[0.0, 1.0]])
    )
    assert change.text("en") == "x: approved with b or c, everything else equal"
    assert change.text("pt") == "x: aprovado com b ou c, mantido todo o resto"


@st.composite
def rows(draw, contract):
    """Return an encoded application that keeps a contract."""
    values = []
    for feature in contract.scored:
        whole = feature.type == "integer"
        value = st.integers(int(feature.min), int(feature.max)) if whole else st.floats(feature.min, feature.max)
        values.append(draw(value | st.just(np.nan) if feature.missing else value))
    return np.array([values], dtype=np.float64)


@pytest.fixture(scope="module", params=["loans", "loans_strict", "loans_reviewed"])
def scorer(request, model_file):
    return Scorer(model_file(request.param))


@pytest.mark.parametrize("name", ["boosted", "boosted_calibrated", "boosted_wide"])
def test_trees_find_the_changes_that_scored_rows_find(model_file, name):
    scorer = Scorer(model_file(name))
    trees, found = read_trees(scorer), set()
    for x in draw_rows(scorer.contract.scored, 200)[:, None]:
        by_rows = find_counterfactuals(scorer, x)
        assert find_counterfactuals(scorer, x, trees) == by_rows
        found |= {(change.feature.type, change.claim) for change in by_rows}
    assert len(found) > 2


@settings(max_examples=60)
@given(st.data())
def test_each_change_is_approved_when_sent_and_no_nearer_whole_number_is(scorer, data):
    X = data.draw(rows(scorer.contract))
    high = scorer.review_band[1]
    if scorer.score(X)[0] >= high:
        return
    for change in find_counterfactuals(scorer, X):
        feature = change.feature
        column = scorer.contract.scored.index(feature)
        assert feature.actionable
        sent = X.copy()
        sent[0, column] = feature.encode(change.value)  # in the contract's range, or this raises
        assert scorer.score(sent)[0] >= high
        beyond = {"from": feature.max, "to": feature.min, "at": change.value}[change.claim]
        between = np.linspace(change.value, beyond, 50)
        sent[0, column] = data.draw(st.sampled_from(np.rint(between) if feature.type == "integer" else between))
        assert scorer.score(sent)[0] >= high
        if feature.type == "integer" and not np.isnan(X[0, column]):
            now = int(X[0, column])
            reach = abs(change.value - now)
            nearer = [x for x in range(int(feature.min), int(feature.max) + 1) if abs(x - now) < reach]
            near = np.repeat(X, len(nearer), axis=0)
            near[:, column] = nearer
            assert not np.any(scorer.score(near) >= high)


def test_every_whole_number_of_the_loans_is_scanned(loans):
    assert all(f.max - f.min < MOST_WHOLE for f in loans.scored if f.type == "integer")


@pytest.mark.parametrize(
    ("number", "en", "pt"),
    [
        (640, "640", "640"),
        (1234, "1234", "1234"),
        (12345, "12\u202f345", "12\u202f345"),
        (-1234567, "-1\u202f234\u202f567", "-1\u202f234\u202f567"),
        (0.6372, "0.6372", "0,6372"),
        (112437.5, "112\u202f437.5", "112\u202f437,5"),
        (0.00001, "0.00001", "0,00001"),
        (5.0, "5", "5"),
    ],
)
def test_a_number_is_written_for_readers_of_either_language(number, en, pt):
    assert (write_number(number, "en"), write_number(number, "pt")) == (en, pt)
