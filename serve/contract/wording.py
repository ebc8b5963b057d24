"""How a feature is named to people and to other systems: its words in a language, its code, its numbers."""

import re
from collections.abc import Mapping
from math import isfinite

LANGUAGES = ("en", "pt")  # the first is the one that is fallen back on
CODE = re.compile(r"\w{1,100}")


def name_feature(name: str, reason: Mapping[str, str], language: str) -> str:
    """Return the contract's words for a feature in a language, else in English, else its name."""
    return reason.get(language) or reason.get(LANGUAGES[0]) or name


def code_feature(name: str, reason: Mapping[str, str]) -> str:
    """Return the code that stands for a feature in the reasons: declared in the contract, else made from its name."""
    return reason.get("code") or re.sub(r"\W", "_", name.upper())[:100]


def write_number(number: float, language: str) -> str:
    """Return a number for reading, thousands apart by narrow spaces: those are the same in every language."""
    if isfinite(number) and number == int(number):
        number = int(number)
    whole, point, part = (f"{number:.15f}".rstrip("0") if isinstance(number, float) else str(number)).partition(".")
    if len(whole.lstrip("-")) > 4:
        whole = re.sub(r"(?<=\d)(?=(\d{3})+$)", "\u202f", whole)
    return whole + (point and ("," if language == "pt" else ".")) + part
