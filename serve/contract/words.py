"""The words that readers see in place of a contract's texts, by language: of labels, units and values."""

import re
from collections.abc import Collection, Mapping
from typing import Any

LANGUAGES = ("en", "pt")  # the first one is the default
WORDS = {"words": "a table"}  # the key of a table that has words, and its kind
_MEANING = r"(-?\d+) = ([^,;=]+)"  # of a number
_MEANINGS = re.compile(rf"{_MEANING}([,;] {_MEANING})+")  # a unit such as "0 = no, 1 = yes"


def translate(words: Mapping[str, Mapping[str, str]], text: str, language: str) -> str:
    """Return the words for a text in a language, else in the default one, else the text itself.

    words: of a feature or of the target, by language and text.
    """
    return next((words[each][text] for each in (language, LANGUAGES[0]) if text in words.get(each, ())), text)


def read_meanings(unit: str) -> dict[float, str]:
    """Return what each number means, where the unit is a list of that; else nothing."""
    return {float(number): words for number, words in re.findall(_MEANING, unit)} if _MEANINGS.fullmatch(unit) else {}


def words_problems(table: Mapping[str, Any], texts: Collection[str]) -> list[str]:
    """Return what is wrong with the words of a table; texts: those that it may have words for."""
    problems = []
    for language, words in (table.get("words") or {}).items():
        where = f"words.{language}"
        if language not in LANGUAGES:
            problems.append(f"{where}: expected {' or '.join(LANGUAGES)}")
        elif not isinstance(words, Mapping) or not all(
            isinstance(each, str) and each.strip() for each in words.values()
        ):
            problems.append(f"{where}: expected text = its words, for each text")
        elif unknown := [text for text in words if text not in texts]:
            problems += [f"{where}: no words are needed for {text!r}, expected {', '.join(texts)}" for text in unknown]
        elif len({words.get(text, text) for text in texts}) < len(set(texts)):
            problems.append(f"{where}: the same words stand for two texts")
    return problems
