"""The rules of a contract document; the result is a list of every problem."""

import re
from collections.abc import Mapping
from typing import Any

from serve.contract.dates import PARTS, is_date
from serve.contract.feature import Fault, Feature
from serve.contract.words import words_problems

FORMAT = 1
TYPES = ("number", "integer", "category", "date")
USES = ("score", "monitor", "refuse")
ANOTHER_DATE = "another date feature's name with min and max, the days from it, in place of range"
MEANINGS = ("past_decision", "repaid")
LARGEST = 2.0**53 - 1  # beyond it float64 can't tell a whole number from its neighbour
_REASON_CODE = re.compile(r"\w{1,100}")
_UNWRITABLE = re.compile(r'["\\\x00-\x1f]')  # what msgspec can't write into a line of the prediction log
_KINDS = {
    **{"text": str, "a whole number": int, "a number": (int, float), "true or false": bool, "a table": Mapping},
    **{"a list": (list, tuple), "text or a whole number": (str, int), "text or a number": (str, int, float)},
}
# The kind of each key's value.
_TOP = {"format": "a whole number", **dict.fromkeys(("model_name", "experiment", "split_salt"), "text")}
_TOP |= {"target": "a table", "feature": "a list"}
_SOURCE = {
    **{"encoding": "text", "separator": "text", "names": "a list", "decimal_comma": "a list"},
    **{"missing": "a table", "left_out": "a table", "dates": "a table", "drop_unlabelled": "true or false"},
}
_SPLIT = {"by": "text"}
_TARGET = {"name": "text", "meaning": "text", "positive": "text or a whole number", "labels": "a table"}
_WORDS = {"words": "a table"}
_FEATURE = {
    **dict.fromkeys(("name", "type", "unit", "use", "other", "as", "since"), "text"),
    **dict.fromkeys(("min", "max", "elderly_from"), "a number"),
    **dict.fromkeys(("missing", "protected", "actionable"), "true or false"),
    **dict.fromkeys(("values", "range"), "a list"),
    **{"reason": "a table", "direction": "a whole number", "example": "text or a number"},
    **_WORDS,
}


def contract_problems(document: Any) -> list[str]:
    """Return the problems of a contract document, empty if there are none."""
    if not isinstance(document, Mapping):
        return ["expected a table"]
    if problems := _shape_problems(document, _TOP | {"source": "a table", "split": "a table"}, _TOP, ""):
        return problems
    problems += _source_problems(document.get("source") or {})
    if (split := document.get("split")) is not None:
        problems += _shape_problems(split, _SPLIT, _SPLIT, "split.")
    if not 1 <= document["format"] <= FORMAT:
        problems.append(f"format {document['format']} is not known here, expected 1 to {FORMAT}")
    problems += _target_problems(document["target"])
    for number, feature in enumerate(document["feature"], 1):
        problems += _feature_problems(feature, number)
    if problems:
        return problems
    features, target = list(map(Feature.from_dict, document["feature"])), document["target"]["name"]
    by = (document.get("split") or {}).get("by")
    if by in ("", target, *(feature.name for feature in features)):
        problems.append('split.by: expected "values", "row", or a column that is neither the target nor a feature')
    return problems + _whole_problems(target, features)


def _shape_problems(table: Any, kinds: Mapping[str, str], required: Any, where: str) -> list[str]:
    if not isinstance(table, Mapping):
        return [f"{where.rstrip('.: ')}: expected a table"]
    problems = [f"{where}question: an open question is left: {table['question']}"] if "question" in table else []
    unknown = [key for key in table if key not in kinds and key != "question"]
    problems += [f"{where}{key}: unknown key, expected {', '.join(kinds)}" for key in unknown]
    problems += [f"{where}{key}: missing" for key in sorted(required) if table.get(key) is None]
    for key, kind in kinds.items():
        value = table.get(key)
        is_wrong_bool = isinstance(value, bool) and kind != "true or false"
        if value is not None and (is_wrong_bool or not isinstance(value, _KINDS[kind])):
            problems.append(f"{where}{key}: expected {kind}")
    return problems


def _source_problems(source: Any) -> list[str]:
    problems = _shape_problems(source, _SOURCE, (), "source.")
    texts = {key: source.get(key, []) for key in ("names", "decimal_comma")}
    texts |= {f"missing.{name}": cells for name, cells in (source.get("missing") or {}).items()} if not problems else {}
    problems += [f"source.{key}: expected a list of texts" for key, cells in texts.items() if not _are_texts(cells)]
    dates = source.get("dates") or {} if not problems else {}
    wrong = [name for name, notation in dates.items() if not isinstance(notation, str)]
    return problems + [f"source.dates.{name}: expected a notation such as DD/MM/YYYY" for name in wrong]


def _are_texts(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)


def _target_problems(target: Any) -> list[str]:
    if problems := _shape_problems(target, _TARGET | _WORDS, _TARGET, "target."):
        return problems
    if target["meaning"] not in MEANINGS:
        problems.append(f"target.meaning: expected {' or '.join(MEANINGS)}")
    labels = target["labels"]
    if len(labels) != 2 or not all(isinstance(text, str) and text for text in labels.values()):
        problems.append("target.labels: expected two entries, cell = label text")
    elif len(set(labels.values())) < 2:
        problems.append("target.labels: expected two different texts")
    elif str(target["positive"]) not in labels:
        problems.append(f"target.positive: expected one of {', '.join(labels)}")
    else:
        problems += [f"target.{problem}" for problem in words_problems(target, list(labels.values()))]
    return problems


def _feature_problems(feature: Any, number: int) -> list[str]:
    name = feature.get("name") if isinstance(feature, Mapping) else None
    where = f"{name}." if isinstance(name, str) and name else f"feature {number}: "
    if problems := _shape_problems(feature, _FEATURE, ("name", "type", "example"), where):
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
        texts = [*(feature.get("values") or ()), *filter(None, [feature.get("unit")])]
        problems += words_problems(feature, texts)
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
    if not (_are_texts(days) and len(days) == 2 and all(map(is_date, days)) and days[0] < days[1]):
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


def _whole_problems(target: str, features: list[Feature]) -> list[str]:
    names = [feature.name for feature in features]
    problems = [f"{name}: declared twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if target in names:
        problems.append(f"{target}: is the target and a feature")
    if sum(feature.elderly_from is not None for feature in features) > 1:
        problems.append("elderly_from: expected on one feature, the applicant's age")
    dates = {each.name for each in features if each.type == "date" and not each.reference and each.use != "refuse"}
    counted = [each for each in features if each.reference and each.reference not in dates]
    problems += [f"{feature.name}.since: expected a date written YYYY-MM-DD, or {ANOTHER_DATE}" for feature in counted]
    scored = [feature for feature in features if feature.scored]
    if not scored:
        problems.append("no feature is scored")
    # By law a score may use an age if it takes nothing from the elderly, which a gate checks; nothing else protected.
    problems += [
        f'{feature.name}: protected and scored, expected use = "monitor" or "refuse" '
        "(only an age may be both: a number marked with elderly_from)"
        for feature in scored
        if feature.protected and feature.elderly_from is None
    ]
    codes = [feature.code for feature in scored]
    twice = [code for code in dict.fromkeys(codes) if codes.count(code) > 1]
    return problems or [f"reason.code {code}: stands for two features, declare another" for code in twice]
