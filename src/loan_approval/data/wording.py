"""The contract's words for its features and their values, as reports write them."""

import re
from collections import Counter

import pandas as pd

from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.contract.numbers import write_number

LANGUAGE = "en"  # of reports
_MEANING = re.compile(r"(\d+) = ([^,;]+)")  # of a number, in a unit such as "0 = no, 1 = yes"


def feature_names(contract: Contract | None) -> dict[str, str]:
    """Return the contract's words for each of its features, with the unit; words of several, with the name."""
    return tell_apart({each.name: each.title_with_unit(LANGUAGE) for each in contract.features} if contract else {})


def feature_titles(contract: Contract) -> dict[str, str]:
    """Return the contract's words for each of its features, as a sentence names it; words of several, with the name."""
    return tell_apart({each.name: each.title(LANGUAGE) for each in contract.features})


def in_words(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return a table as a figure shows it: the contract's words for its features and their values.

    Numbers whose unit says what each of them means become that. Other columns, such as the target, stay as they are.
    """
    named = {each.name: _name_values(each, frame[each.name]) for each in contract.features if each.name in frame}
    return frame.assign(**named).rename(columns=feature_names(contract))


def _name_values(feature: Feature, column: pd.Series) -> pd.Series:
    meanings = {} if feature.is_text else dict(_MEANING.findall(feature.say(feature.unit, LANGUAGE)))
    if meanings:
        return column.map(lambda number: meanings.get(write_number(number), write_number(number)), na_action="ignore")
    return column.map(lambda text: feature.say(text, LANGUAGE), na_action="ignore") if feature.is_category else column


def tell_apart(words: dict[str, str]) -> dict[str, str]:
    """Return words by the names of features; words of several features get the name in brackets."""
    times = Counter(words.values())
    return {name: each if times[each] == 1 else f"{each} ({name})" for name, each in words.items()}
