"""The contract's words for its features, as reports write them."""

from collections import Counter

from serve.contract.contract import Contract

LANGUAGE = "en"  # of reports


def feature_names(contract: Contract | None) -> dict[str, str]:
    """Return the contract's words for each of its features, with the unit; words of several, with the name."""
    return _tell_apart({each.name: each.title_with_unit(LANGUAGE) for each in contract.features} if contract else {})


def feature_titles(contract: Contract) -> dict[str, str]:
    """Return the contract's words for each of its features, as a sentence names it; words of several, with the name."""
    return _tell_apart({each.name: each.title(LANGUAGE) for each in contract.features})


def _tell_apart(words: dict[str, str]) -> dict[str, str]:
    times = Counter(words.values())
    return {name: each if times[each] == 1 else f"{each} ({name})" for name, each in words.items()}
