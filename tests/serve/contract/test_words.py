import pytest

from serve.contract.words import read_meanings, translate, words_problems

WORDS = {"en": {"rent": "rented"}, "pt": {"own": "próprio"}}


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [("own", "pt", "próprio"), ("own", "en", "own"), ("rent", "pt", "rented"), ("rent", "en", "rented")],
)
def test_a_text_has_its_words_in_the_language_else_in_english_else_itself(text, language, words):
    assert translate(WORDS, text, language) == words


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"fr": {"own": "à soi"}}, "words.fr: expected en or pt"),
        ({"pt": ["próprio"]}, "words.pt: expected text = its words, for each text"),
        ({"pt": {"own": 1}}, "words.pt: expected text = its words, for each text"),
        ({"pt": {"owm": "próprio"}}, "words.pt: no words are needed for 'owm', expected own, rent"),
        ({"en": {"own": "rent"}}, "words.en: the same words stand for two texts"),
    ],
)
def test_words_that_no_reader_could_use_are_named(words, problem):
    assert words_problems({"words": words}, ["own", "rent"]) == [problem]


@pytest.mark.parametrize("words", [None, {}, WORDS])
def test_words_may_be_left_out(words):
    assert words_problems({"words": words}, ["own", "rent"]) == []


@pytest.mark.parametrize(
    ("unit", "meanings"),
    [
        ("0 = no, 1 = yes", {0: "no", 1: "yes"}),
        ("-1 = unknown; 0 = no", {-1: "unknown", 0: "no"}),
        ("months, 0 = never", {}),
        ("years", {}),
        ("", {}),
    ],
)
def test_a_unit_that_lists_what_each_number_means_is_read_as_that(unit, meanings):
    assert read_meanings(unit) == meanings
