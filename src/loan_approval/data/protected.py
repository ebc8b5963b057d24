"""What a column's name tells: a protected attribute, or that its numbers are codes; words in several languages."""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

_FOLDER = Path(__file__).parent
FEWEST_DIGITS, FEWEST_ROWS = 5, 20  # of codes that are told by their shape; rows for each on average


def protected_attribute(name: str) -> str:
    """Return the attribute that a column's name tells, such as "age"; "" when it tells none."""
    return _find(_terms(name), "protected.toml")


def are_codes(name: str, cells: Collection[str], rows: int) -> bool:
    """Return whether whole numbers are codes, such as of a branch, whose order and distances mean nothing.

    Their name says so, or their shape: few that are all equally long, and not round. cells: the different ones.
    """
    digits = {cell.removesuffix(".0") for cell in cells}
    if len(digits) < 3 or not all(map(str.isdecimal, digits)):
        return False
    words = [_fold(word) for word in split_words(name)]
    *before, last = words or [""]
    if before and _find([last], "codes.toml") == "number":
        *before, last = before
    if _find([last], "codes.toml") == "code":
        return all(_find([word], "codes.toml") not in ("number", "amount") for word in before)
    is_even = {len(cell) for cell in digits} == {max(FEWEST_DIGITS, len(min(digits)))}
    round_ones = sum(cell[-1] in "05" for cell in digits)
    return is_even and rows >= FEWEST_ROWS * len(digits) and 2 * round_ones < len(digits)


def _terms(name: str) -> list[str]:
    # Two words of a name are also tried as one.
    words = [_fold(word) for word in split_words(name)]
    return [*words, *(f"{one}{two}" for one, two in pairwise(words))]


def _find(terms: Iterable[str], file: str) -> str:
    terms = list(terms)
    return next((key for key, pattern in _patterns(file).items() if any(map(pattern.fullmatch, terms))), "")


def split_words(name: str) -> list[str]:
    """Return the words of a name: at blanks, signs, digits, and where a capital follows a small letter."""
    return re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])|[\W\d_]+", " ", name).split()


@cache
def _patterns(file: str) -> dict[str, re.Pattern[str]]:
    document = tomllib.loads((_FOLDER / file).read_text(encoding="utf-8"))
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
