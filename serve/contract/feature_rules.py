"""The rules of one feature's table in a contract document."""

import re
from collections.abc import Mapping
from typing import Any

from serve.contract.dates import PARTS, is_date
from serve.contract.fault import Fault
from serve.contract.feature import Feature
from serve.contract.shape import are_texts, shape_problems
from serve.contract.words import WORDS, words_problems

TYPES = ("number", "integer", "category", "date")
USES = ("score", "monitor", "refuse")
ANOTHER_DATE = "another date feature's name with min and max, the days from it, in place of range"
LARGEST = 2.0**53 - 1  # beyond it float64 can't tell a whole number from its neighbour
_REASON_CODE = re.compile(r"\w{1,100}")
_UNWRITABLE = re.compile(r'["\\\x00-\x1f]')  # what msgspec can't write into a line of the prediction log
_FEATURE = {
    **dict.fromkeys(("name", "type", "unit", "use", "other", "as", "since"), "text"),
    **dict.fromkeys(("min", "max", "elderly_from"), "a number"),
    **dict.fromkeys(("missing", "protected", "actionable"), "true or false"),
    **dict.fromkeys(("values", "range"), "a list"),
    **{"reason": "a table", "direction": "a whole number", "example": "text or a number"},
    **WORDS,
}


def feature_problems(feature: Any, number: int) -> list[str]:
    """Return the problems of a feature's table, the `number`th of its document, from 1."""
    name = feature.get("name") if isinstance(feature, Mapping) else None
    where = f"{name}." if isinstance(name, str) and name else f"feature {number}: "
    if problems := shape_problems(feature, _FEATURE, ("name", "type", "example"), where):
        return problems
    type_, reason = feature["type"], feature.get("reason") or {}
    if not feature["name"]:
        problems.append("name: expected a name")
    elif _UNWRITABLE.search(feature["name"]):
        problems.append("name: expected no double quote, backslash or control character")
    if feature.get("use", "score") not in USES:
        problems.append(f"use: expected {' or '.join(USES)}")
    if feature.get("direction", 0) not in (-1, 0, 1):
        problems.append("direction: expected 1, -1 or 0")
    if not all(isinstance(text, str) and text.strip() for text in reason.values()):
        problems.append("reason: expected a text for each language")
    elif "code" in reason and not _REASON_CODE.fullmatch(reason["code"]):
        problems.append("reason.code: expected up to 100 letters, digits and underscores")
    if type_ not in TYPES:
        problems.append(f"type: expected {', '.join(TYPES)}")
    else:
        problems += _PROBLEMS_OF.get(type_, _number_problems)(feature)
    if not problems:
        problems += words_problems(feature, [*(feature.get("values") or ()), *filter(None, [feature.get("unit")])])
        try:
            Feature.from_dict(feature).encode(feature["example"])
        except Fault as fault:
            problems.append(f"example: {fault}")
    return [where + problem for problem in problems]


def _category_problems(feature: Mapping[str, Any]) -> list[str]:
    values, problems = feature.get("values"), []
    if not values or not all(isinstance(v, str) and v and v == v.strip() for v in values):
        problems.append("values: expected a list of names")
    elif len(set(values)) < len(values):
        problems.append("values: a name stands twice")
    if feature.get("direction"):
        problems.append("direction: a category has none")
    if feature.get("other") is not None and feature["other"] not in (values or ()):
        problems.append("other: expected one of the values")
    return problems + _problems_of_other_types(feature, "a category", ("min", "max", "elderly_from", *_OF_DATES))


def _date_problems(feature: Mapping[str, Any]) -> list[str]:
    part, days, since = feature.get("as", "days"), feature.get("range"), feature.get("since")
    problems = _problems_of_other_types(feature, "a date", ("values", "other", "elderly_from"))
    if part not in PARTS:
        problems.append(f"as: expected {', '.join(PARTS)}")
    if part not in ("days", "year") and feature.get("direction"):
        problems.append("direction: a month or a weekday has none")
    if since is not None and part != "days":
        problems.append('since: expected where as = "days"')
    elif since is not None and not is_date(since):
        if days is not None or _limit_problems(feature):
            problems.append(f"since: expected a date written YYYY-MM-DD, or {ANOTHER_DATE}")
        return problems
    problems += _problems_of_other_types(feature, "a date", ("min", "max"))
    if not (are_texts(days) and len(days) == 2 and all(map(is_date, days)) and days[0] < days[1]):
        problems.append('range: expected the first and the last date, written ["YYYY-MM-DD", "YYYY-MM-DD"]')
    elif part == "year" and days[0][:4] == days[1][:4]:
        problems.append('range: expected dates of more than one year, where as = "year"')
    return problems


def _problems_of_other_types(feature: Mapping[str, Any], what: str, keys: tuple[str, ...]) -> list[str]:
    return [f"{key}: {what} has none" for key in keys if feature.get(key) is not None]


def _number_problems(feature: Mapping[str, Any]) -> list[str]:
    low, high, elderly_from = (feature.get(key) for key in ("min", "max", "elderly_from"))
    if low is None or high is None:
        return [f"{key}: missing" for key in ("min", "max") if feature.get(key) is None]
    problems = _limit_problems(feature)
    if elderly_from is not None and not low < elderly_from <= high:
        problems.append("elderly_from: expected an age between min and max")
    problems += [f"{key}: only a category has them" for key in ("values", "other") if feature.get(key)]
    return problems + _problems_of_other_types(feature, "a number", _OF_DATES)


def _limit_problems(feature: Mapping[str, Any]) -> list[str]:
    low, high = feature.get("min"), feature.get("max")
    if low is None or high is None or not -LARGEST <= low < high <= LARGEST:
        return ["min and max: expected min < max, neither beyond 2**53 - 1"]
    if feature["type"] != "number" and (low != int(low) or high != int(high)):
        return ["min and max: expected whole numbers for an integer"]
    return []


_OF_DATES = ("range", "as", "since")
_PROBLEMS_OF = {"category": _category_problems, "date": _date_problems}
