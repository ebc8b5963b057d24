import copy

import pytest

from serve.contract.rules import contract_problems

AGE = {"name": "age", "type": "integer", "min": 18, "max": 100, "example": 45}
HOME = {"name": "home", "type": "category", "values": ["own", "rent"], "example": "own"}
DAY = {"name": "asked", "type": "date", "range": ["2015-01-01", "2026-12-31"], "example": "2020-02-29"}
COUNTED = {"range": ..., "since": "hired", "min": -20_000, "max": 0, "example": -9}
RIGHT = {
    **{"format": 1, "model_name": "m", "experiment": "e", "split_salt": "s", "feature": [AGE, HOME, DAY]},
    "target": {"name": "granted", "meaning": "repaid", "positive": 1, "labels": {"1": "Yes", "0": "No"}},
}


def problems_with(table: str, **changes: object) -> list[str]:
    """Return the problems of the right contract with keys of one table replaced, or removed by `...`."""
    document = copy.deepcopy(RIGHT)
    place = {"top": document, "target": document["target"], "age": document["feature"][0]}
    place["home"], place["asked"] = document["feature"][1:]
    place[table].update(changes)
    for key in [key for key, value in changes.items() if value is ...]:
        del place[table][key]
    return contract_problems(document)


def test_a_right_contract_has_no_problems():
    assert contract_problems(RIGHT) == []


@pytest.mark.parametrize("document", [None, [], "text", 1])
def test_only_a_table_is_a_contract(document):
    assert contract_problems(document) == ["expected a table"]


@pytest.mark.parametrize(
    ("table", "changes", "problem"),
    [
        ("top", {"format": 2}, "format 2 is not known here"),
        ("top", {"format": True}, "format: expected a whole number"),
        ("top", {"experiment": ...}, "experiment: missing"),
        ("top", {"split_salt": 1}, "split_salt: expected text"),
        ("top", {"extra": 1}, "extra: unknown key"),
        ("top", {"split": "row"}, "split: expected a table"),
        ("top", {"split": {}}, "split.by: missing"),
        ("top", {"split": {"by": 1}}, "split.by: expected text"),
        ("top", {"split": {"by": ""}}, 'split.by: expected "values", "row", or a column that is neither'),
        ("top", {"split": {"by": "age"}}, "split.by: expected"),
        ("top", {"split": {"by": "granted"}}, "split.by: expected"),
        ("top", {"split": {"by": "row", "salt": "s"}}, "split.salt: unknown key"),
        ("top", {"split": {"by": "row", "question": "copies?"}}, "split.question: an open question is left: copies?"),
        ("top", {"feature": []}, "no feature is scored"),
        ("top", {"feature": [None]}, "feature 1: expected a table"),
        ("top", {"feature": [AGE, AGE]}, "age: declared twice"),
        ("target", {"meaning": "luck"}, "target.meaning: expected past_decision or repaid"),
        ("target", {"positive": 2}, "target.positive: expected one of 1, 0"),
        ("target", {"labels": {"1": "Yes"}}, "target.labels: expected two entries or more"),
        ("target", {"labels": {"1": "Yes", "0": ""}}, "target.labels: expected two entries"),
        ("target", {"labels": {"1": "Yes", "0": "Yes"}}, "target.labels: expected two different texts"),
        ("target", {"labels": {"1": "Yes", "0": "No", "2": "Maybe"}}, "target.labels: expected two different texts"),
        ("target", {"name": "age"}, "age: is the target and a feature"),
        ("top", {"feature": [AGE | {"elderly_from": 62}, AGE | {"name": "b", "elderly_from": 62}]}, "on one feature"),
        (
            "target",
            {"words": {"en": {"1": "Repaid"}}},
            "target.words.en: no words are needed for '1', expected Yes, No",
        ),
        (
            "target",
            {"words": {"pt": {"Yes": "Sim", "No": "Sim"}}},
            "target.words.pt: the same words stand for two texts",
        ),
        (
            "asked",
            {"since": "hired"},
            "asked.since: expected a date written YYYY-MM-DD, or another date feature's name",
        ),
        ("top", {"source": {"dates": {"asked": 1}}}, "source.dates.asked: expected a notation such as DD/MM/YYYY"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(table, changes, problem):
    assert any(problem in each for each in problems_with(table, **changes))


@pytest.mark.parametrize(
    ("table", "key"), [("top", key) for key in RIGHT] + [("target", key) for key in RIGHT["target"]]
)
def test_null_is_as_good_as_missing(table, key):
    """JSON has null, TOML has not: a contract in a model file may hold one."""
    assert any(f"{key}: missing" in each for each in problems_with(table, **{key: None}))


@pytest.mark.parametrize("key", ["use", "values", "min", "direction", "example", "name", "type", "elderly_from"])
@pytest.mark.parametrize("table", ["age", "home"])
def test_null_in_a_feature_never_raises(table, key):
    assert isinstance(problems_with(table, **{key: None}), list)


@pytest.mark.parametrize("by", ["values", "row", "customer"])
def test_a_split_by_values_row_or_another_column_is_right(by):
    assert problems_with("top", split={"by": by}) == []


@pytest.mark.parametrize("boundary", [19, 62, 61.5, 100])
def test_an_age_may_say_from_when_on_it_is_elderly(boundary):
    assert problems_with("age", elderly_from=boundary) == []


def test_an_age_that_says_when_it_is_elderly_may_be_protected_and_scored():
    assert problems_with("age", elderly_from=62, protected=True) == []


@pytest.mark.parametrize("use", ["monitor", "refuse"])
def test_what_is_protected_may_be_monitored_or_refused(use):
    assert problems_with("home", protected=True, use=use) == []


def test_all_problems_are_named_at_once():
    assert len(problems_with("age", use="both", direction=2, min=100)) == 3


def test_features_that_are_only_monitored_need_no_code_of_their_own():
    assert problems_with("home", name="AGE", use="monitor") == []


@pytest.mark.parametrize("name", ['a "b"', "a\\b", "a\nb", "a\x00"])
def test_a_name_that_the_prediction_log_can_not_write_is_refused(name):
    feature = {"name": name, "type": "integer", "min": 0, "max": 1, "example": 1}
    (problem,) = contract_problems(RIGHT | {"feature": [feature]})
    assert "expected no double quote, backslash or control character" in problem


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"encoding": 1}, "source.encoding: expected text"),
        ({"color": "red"}, "source.color: unknown key"),
        ({"names": [1]}, "source.names: expected a list of texts"),
        ({"missing": {"x": "NA"}}, "source.missing.x: expected a list of texts"),
        ({"question": "Right?"}, "source.question: an open question is left: Right?"),
    ],
)
def test_a_source_is_held_to_its_keys(source, problem):
    (found,) = contract_problems(RIGHT | {"source": source})
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"type": "category", "values": ["a"], "other": "b", "example": "a"}, "x.other: expected one of the values"),
        ({"type": "integer", "min": 0, "max": 1, "other": "b", "example": 1}, "x.other: only a category has them"),
    ],
)
def test_other_is_one_of_the_values(keys, problem):
    assert contract_problems(RIGHT | {"feature": [{"name": "x", **keys}]}) == [problem]


def test_labels_units_and_values_may_have_words_in_each_language():
    words = {"en": {"own": "Own home"}, "pt": {"own": "próprio", "rent": "alugado", "years": "anos"}}
    assert problems_with("home", words=words, unit="years") == []
    assert problems_with("target", words={"pt": {"Yes": "Sim"}}) == []
