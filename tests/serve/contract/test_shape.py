import pytest

from serve.contract.shape import are_texts, shape_problems

KINDS = {"name": "text", "min": "a number", "missing": "true or false"}


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ({"name": "a", "min": 0.5, "missing": True}, []),
        ([], ["age: expected a table"]),
        ({}, ["age.name: missing"]),
        ({"name": "a", "min": True}, ["age.min: expected a number"]),
        ({"name": "a", "max": 1}, ["age.max: unknown key, expected name, min, missing"]),
        ({"name": "a", "question": "Why?"}, ["age.question: an open question is left: Why?"]),
    ],
)
def test_a_table_has_known_keys_of_the_right_kinds(table, problems):
    assert shape_problems(table, KINDS, ["name"], "age.") == problems


def test_a_list_of_texts_holds_nothing_else():
    assert are_texts(["a", ""])
    assert not are_texts("ab")
    assert not are_texts(["a", 1])
