"""The contract's words for its features and their values, as reports write them."""

import re
from collections import Counter

import pandas as pd

from serve.contract.contract import Contract
from serve.contract.feature import Feature

LANGUAGE = "en"  # of reports
_MEANING = r"(-?\d+) = ([^,;=]+)"  # of a number
_MEANINGS = re.compile(rf"{_MEANING}([,;] {_MEANING})+")  # a unit such as "0 = no, 1 = yes"


def feature_names(contract: Contract | None) -> dict[str, str]:
    """Return the contract's words for each of its features, with the unit; words of several, with the name."""
    return tell_apart({each.name: each.title_with_unit(LANGUAGE) for each in contract.features} if contract else {})


def feature_titles(contract: Contract) -> dict[str, str]:
    """Return the contract's words for each of its features, as a sentence names it; words of several, with the name."""
    return tell_apart({each.name: each.title(LANGUAGE) for each in contract.features})


def in_words(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return a table as a figure shows it: the contract's words for its features and their values.

    Numbers become what they mean where the unit is a list of that, and every number of the column is in it. Other
    columns, such as the target, stay as they are.
    """
    features = {feature.name: feature for feature in contract.features}
    shown = {name: _name_values(features[name], frame[name]) if name in features else frame[name] for name in frame}
    return pd.DataFrame(shown, frame.index).rename(columns=feature_names(contract))


def _name_values(feature: Feature, column: pd.Series) -> pd.Series:
    unit = feature.say(feature.unit, LANGUAGE)
    if not feature.is_text and _MEANINGS.fullmatch(unit):
        meanings = {float(number): meaning for number, meaning in re.findall(_MEANING, unit)}
        return column.map(meanings) if column.dropna().isin(list(meanings)).all() else column
    return column.map(lambda text: feature.say(text, LANGUAGE), na_action="ignore") if feature.is_category else column


def tell_apart(words: dict[str, str]) -> dict[str, str]:
    """Return words by the names of features; words of several features get the name in brackets."""
    times = Counter(words.values())
    return {name: each if times[each] == 1 else f"{each} ({name})" for name, each in words.items()}
