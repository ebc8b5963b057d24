import pytest

from serve.contract.wording import code_feature, name_feature, write_number


@pytest.mark.parametrize(
    ("reason", "language", "words"),
    [
        ({"en": "Home", "pt": "Casa"}, "pt", "Casa"),
        ({"en": "Home"}, "pt", "Home"),
        ({"pt": "Casa"}, "en", "home_type"),
        ({}, "pt", "home_type"),
    ],
)
def test_a_feature_without_words_in_a_language_has_the_english_ones_or_its_name(reason, language, words):
    assert name_feature("home_type", reason, language) == words


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("Credit_Score", {}, "CREDIT_SCORE"),
        ("debt-to income", {}, "DEBT_TO_INCOME"),
        ("ação", {"en": "Share"}, "AÇÃO"),
        ("Credit_Score", {"code": "R12"}, "R12"),
    ],
)
def test_a_code_is_declared_or_made_from_the_name(name, reason, code):
    assert code_feature(name, reason) == code


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
