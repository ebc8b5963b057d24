import pytest

from serve.contract.feature_rules import LARGEST, feature_problems
from tests.serve.contract.test_rules import COUNTED, DAY, problems_with


@pytest.mark.parametrize(
    ("table", "changes", "problem"),
    [
        ("age", {"name": ""}, "name: expected a name"),
        ("age", {"type": "time"}, "age.type: expected number, integer, category, date"),
        ("age", {"use": "both"}, "age.use: expected score or monitor or refuse"),
        ("age", {"direction": 2}, "age.direction: expected 1, -1 or 0"),
        ("age", {"direction": True}, "age.direction: expected a whole number"),
        ("age", {"reason": {"en": 5}}, "age.reason: expected a text for each language"),
        ("age", {"reason": {"en": " "}}, "age.reason: expected a text for each language"),
        ("age", {"reason": {"code": "A.1"}}, "age.reason.code: expected up to 100 letters, digits and underscores"),
        ("age", {"reason": {"code": "HOME"}}, "reason.code HOME: stands for two features, declare another"),
        ("home", {"name": "AGE"}, "reason.code AGE: stands for two features, declare another"),
        ("age", {"missing": 1}, "age.missing: expected true or false"),
        ("age", {"min": ...}, "age.min: missing"),
        ("age", {"min": 100}, "age.min and max: expected min < max"),
        ("age", {"min": float("nan")}, "age.min and max: expected min < max"),
        ("age", {"max": float("inf")}, "age.min and max: expected min < max"),
        ("age", {"max": 2.0**53}, "age.min and max: expected min < max"),
        ("age", {"max": 99.5}, "age.min and max: expected whole numbers"),
        ("age", {"elderly_from": 18}, "age.elderly_from: expected an age between min and max"),
        ("age", {"elderly_from": 101}, "age.elderly_from: expected an age between min and max"),
        ("age", {"elderly_from": float("nan")}, "age.elderly_from: expected an age between min and max"),
        ("age", {"elderly_from": "62"}, "age.elderly_from: expected a number"),
        ("age", {"protected": True}, 'age: protected and scored, expected use = "monitor" or "refuse"'),
        ("home", {"protected": True}, "home: protected and scored"),
        ("home", {"protected": True, "use": "score"}, "home: protected and scored"),
        ("age", {"values": ["a"]}, "age.values: only a category has them"),
        ("age", {"example": 17}, "age.example: out of range"),
        ("age", {"example": ...}, "age.example: missing"),
        ("age", {"question": "years?"}, "age.question: an open question is left: years?"),
        ("home", {"values": []}, "home.values: expected a list of names"),
        ("home", {"values": ["own", " rent"]}, "home.values: expected a list of names"),
        ("home", {"values": ["own", "own"]}, "home.values: a name stands twice"),
        ("home", {"values": ["own", ["rent"]]}, "home.values: expected a list of names"),
        ("home", {"direction": 1}, "home.direction: a category has none"),
        ("home", {"elderly_from": 62}, "home.elderly_from: a category has none"),
        ("home", {"min": 0}, "home.min: a category has none"),
        ("home", {"example": "boat"}, "home.example: unknown category"),
        ("home", {"words": "próprio"}, "home.words: expected a table"),
        (
            "home",
            {"words": {"pt": {"owm": "próprio"}}},
            "home.words.pt: no words are needed for 'owm', expected own, rent",
        ),
        ("age", {"words": {"pt": {"years": "anos"}}}, "age.words.pt: no words are needed for 'years'"),
        ("home", {"range": ["a", "b"]}, "home.range: a category has none"),
        ("age", {"as": "days"}, "age.as: a number has none"),
        ("asked", {"range": ...}, "asked.range: expected the first and the last date"),
        ("asked", {"range": ["2015-01-01"]}, "asked.range: expected the first and the last date"),
        ("asked", {"range": ["2015-01-01", "2015-02-29"]}, "asked.range: expected the first and the last date"),
        ("asked", {"range": ["2016-01-01", "2015-01-01"]}, "asked.range: expected the first and the last date"),
        ("asked", {"range": [1, 2]}, "asked.range: expected the first and the last date"),
        ("asked", {"as": "age"}, "asked.as: expected days, year, month, weekday"),
        ("asked", {"as": "year", "range": ["2015-01-01", "2015-12-31"]}, "asked.range: expected dates of more than"),
        ("asked", {"as": "month", "since": "2015-01-01"}, 'asked.since: expected where as = "days"'),
        ("asked", {"as": "month", "since": "hired"}, 'asked.since: expected where as = "days"'),
        ("asked", {**COUNTED, "max": ...}, "asked.since: expected a date written YYYY-MM-DD, or another date feature"),
        ("asked", {**COUNTED, "max": -20_000}, "asked.since: expected a date written YYYY-MM-DD, or another date"),
        ("asked", {**COUNTED, "max": 0.5}, "asked.since: expected a date written YYYY-MM-DD, or another date"),
        ("asked", COUNTED, "asked.since: expected a date written YYYY-MM-DD, or another date feature's name"),
        ("asked", {**COUNTED, "since": "age"}, "asked.since: expected a date written YYYY-MM-DD, or another date"),
        ("asked", {**COUNTED, "since": "asked"}, "asked.since: expected a date written YYYY-MM-DD, or another date"),
        ("asked", {"as": "month", "direction": 1}, "asked.direction: a month or a weekday has none"),
        ("asked", {"since": "01/01/2015"}, "asked.since: expected a date"),
        ("asked", {"min": 0}, "asked.min: a date has none"),
        ("asked", {"elderly_from": 62}, "asked.elderly_from: a date has none"),
        ("asked", {"example": "2020-02-30"}, "asked.example: not a date"),
    ],
)
def test_a_broken_rule_of_a_feature_is_named_with_its_place(table, changes, problem):
    assert any(problem in each for each in problems_with(table, **changes))


def test_a_right_feature_has_no_problems():
    assert feature_problems(DAY, 1) == []
    assert feature_problems({**DAY, "name": ""}, 2) == ["feature 2: name: expected a name"]


def test_limits_reach_to_the_largest_number_float64_tells_from_its_neighbours():
    assert problems_with("age", max=int(LARGEST)) == []
    assert float(int(LARGEST) + 1) != LARGEST
