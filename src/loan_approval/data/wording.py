"""The contract's words for its features and their values, as reports write them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.contract.numbers import EXACT

LANGUAGE = "en"  # of reports


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
    named = feature.is_category or column.dropna().isin(list(feature.meanings)).all()
    return column.map(feature.show, na_action="ignore") if named else column


def write_span(feature: Feature, values: Sequence[Any], digits: int = EXACT) -> str:
    """Return the values of a category, or the least and the most of numbers, in the contract's words; "" of none."""
    if feature.is_category:
        return ", ".join(map(feature.show, values))
    return " to ".join(feature.show(end, digits) for end in (min(values), max(values))) if len(values) else ""


def tell_apart(words: dict[str, str]) -> dict[str, str]:
    """Return words by the names of features; words of several features get the name in brackets."""
    times = Counter(words.values())
    return {name: each if times[each] == 1 else f"{each} ({name})" for name, each in words.items()}
