"""Which column names tell a protected attribute: the words of `protected.toml`, in several languages."""

import re
import tomllib
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path

_WORDS = Path(__file__).with_name("protected.toml")


def protected_attribute(name: str) -> str:
    """Return the attribute that a column's name tells, such as "age"; "" when it tells none."""
    words = [_fold(word) for word in split_words(name)]
    terms = [*words, *(f"{one}{two}" for one, two in pairwise(words))]
    for attribute, pattern in _patterns().items():
        if any(map(pattern.fullmatch, terms)):
            return attribute
    return ""


def split_words(name: str) -> list[str]:
    """Return the words of a name: at blanks, signs, digits, and where a capital follows a small letter."""
    return re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])|[\W\d_]+", " ", name).split()


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    document = tomllib.loads(_WORDS.read_text(encoding="utf-8"))
    return {
        attribute: re.compile("|".join(_pattern(term) for terms in languages.values() for term in terms))
        for attribute, languages in document.items()
    }


def _pattern(term: str) -> str:
    # Two words of a name are also tried as one, so that PersonalStatus, personal_status and personalstatus are alike.
    return re.escape(_fold(term).replace(" ", "")).replace(r"\*", r"\w*")


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
