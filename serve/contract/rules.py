"""The rules a contract document must keep; the answer is a list of every problem, in words."""

from collections.abc import Mapping
from typing import Any

from serve.contract.feature import Fault, Feature
from serve.contract.wording import CODE, code_feature

TYPES = ("number", "integer", "category")
USES = ("score", "monitor", "refuse")
MEANINGS = ("past_decision", "repaid")
LARGEST = 2.0**53 - 1  # beyond it float64 can't tell a whole number from its neighbour
_TOP = {"format": int, "model_name": str, "experiment": str, "split_salt": str, "target": Mapping, "feature": list}
_TARGET = {"name": str, "meaning": str, "positive": (str, int), "labels": Mapping}
_FEATURE = {
    **{"name": str, "type": str, "unit": str, "use": str, "values": (list, tuple), "reason": Mapping},
    **{"min": (int, float), "max": (int, float), "direction": int, "example": (str, int, float)},
    **{"elderly_from": (int, float)},
    **{"missing": bool, "protected": bool, "actionable": bool},
}


def contract_problems(document: Mapping[str, Any], newest_format: int) -> list[str]:
    """Return what is wrong with a contract document; an empty list when nothing is."""
    if not isinstance(document, Mapping):
        return ["expected a table"]
    problems = _shape(document, _TOP, set(_TOP), "")
    if problems:
        return problems
    if not 1 <= document["format"] <= newest_format:
        problems.append(f"format {document['format']} is not known here, expected 1 to {newest_format}")
    problems += _target_problems(document["target"])
    features = document["feature"]
    for number, feature in enumerate(features, 1):
        problems += _feature_problems(feature, f"feature {number}")
    if not problems:
        problems += _whole_problems(document)
    return problems


def _shape(table: Any, kinds: Mapping[str, Any], required: set[str], where: str) -> list[str]:
    if not isinstance(table, Mapping):
        return [f"{where.rstrip('.: ')}: expected a table"]
    problems = [f"{where}{key}: an open question is left: {table[key]}" for key in table if key == "question"]
    unknown = [key for key in table if key not in kinds and key != "question"]
    problems += [f"{where}{key}: unknown key, expected {', '.join(kinds)}" for key in unknown]
    problems += [f"{where}{key}: missing" for key in sorted(required) if table.get(key) is None]
    for key, kind in kinds.items():
        if key in table and table[key] is not None and not _is(table[key], kind):
            problems.append(f"{where}{key}: expected {_kind_name(kind)}")
    return problems


def _is(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _kind_name(kind: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    names |= {Mapping: "a table", list: "a list", tuple: "a list"}
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(dict.fromkeys(names[k] for k in kinds))


def _target_problems(target: Mapping[str, Any]) -> list[str]:
    problems = _shape(target, _TARGET, set(_TARGET), "target.")
    if problems:
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
    return problems


def _feature_problems(feature: Any, where: str) -> list[str]:
    name = feature.get("name") if isinstance(feature, Mapping) else None
    where = f"{name}." if isinstance(name, str) and name else f"{where}: "
    problems = _shape(feature, _FEATURE, {"name", "type", "example"}, where)
    if problems:
        return problems
    if not feature["name"]:
        problems.append(f"{where}name: expected a name")
    if feature["type"] not in TYPES:
        return [*problems, f"{where}type: expected {', '.join(TYPES)}"]
    if feature.get("use", "score") not in USES:
        problems.append(f"{where}use: expected {' or '.join(USES)}")
    if feature.get("direction", 0) not in (-1, 0, 1):
        problems.append(f"{where}direction: expected 1, -1 or 0")
    problems += _reason_problems(feature.get("reason") or {}, where)
    is_category = feature["type"] == "category"
    problems += _category_problems(feature, where) if is_category else _number_problems(feature, where)
    return problems or _example_problems(feature, where)


def _reason_problems(reason: Mapping[str, Any], where: str) -> list[str]:
    if not all(isinstance(text, str) and text.strip() for text in reason.values()):
        return [f"{where}reason: expected a text for each language"]
    if "code" in reason and not CODE.fullmatch(reason["code"]):
        return [f"{where}reason.code: expected up to 100 letters, digits and underscores"]
    return []


def _category_problems(feature: Mapping[str, Any], where: str) -> list[str]:
    problems = []
    values = feature.get("values") or []
    if not values or not all(isinstance(v, str) and v and v == v.strip() for v in values):
        problems.append(f"{where}values: expected a list of names")
    elif len(set(values)) < len(values):
        problems.append(f"{where}values: a name stands twice")
    if feature.get("direction"):
        problems.append(f"{where}direction: a category has none")
    numbers = ("min", "max", "elderly_from")
    return problems + [f"{where}{key}: a category has none" for key in numbers if feature.get(key) is not None]


def _number_problems(feature: Mapping[str, Any], where: str) -> list[str]:
    low, high = feature.get("min"), feature.get("max")
    if low is None or high is None:
        return [f"{where}{key}: missing" for key in ("min", "max") if feature.get(key) is None]
    problems = []
    if not -LARGEST <= low < high <= LARGEST:
        problems.append(f"{where}min and max: expected min < max, neither beyond 2**53 - 1")
    elif feature["type"] == "integer" and (low != int(low) or high != int(high)):
        problems.append(f"{where}min and max: expected whole numbers for an integer")
    elderly_from = feature.get("elderly_from")
    if elderly_from is not None and not low < elderly_from <= high:
        problems.append(f"{where}elderly_from: expected an age between min and max")
    if feature.get("values"):
        problems.append(f"{where}values: only a category has them")
    return problems


def _example_problems(feature: Mapping[str, Any], where: str) -> list[str]:
    try:
        Feature(**dict(feature, values=tuple(feature.get("values") or ()))).encode(feature["example"])
    except Fault as fault:
        return [f"{where}example: {fault}"]
    return []


def _whole_problems(document: Mapping[str, Any]) -> list[str]:
    names = [feature["name"] for feature in document["feature"]]
    problems = [f"{name}: declared twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if document["target"]["name"] in names:
        problems.append(f"{document['target']['name']}: is the target and a feature")
    if sum(feature.get("elderly_from") is not None for feature in document["feature"]) > 1:
        problems.append("elderly_from: expected on one feature, the applicant's age")
    scored = [feature for feature in document["feature"] if feature.get("use", "score") == "score"]
    if not scored:
        problems.append("no feature is scored")
    # The law lets a score use an age that takes nothing from the elderly, which a gate proves; nothing else protected.
    problems += [
        f'{feature["name"]}: protected and scored, expected use = "monitor" or "refuse" '
        "(only an age may be both: a number marked with elderly_from)"
        for feature in scored
        if feature.get("protected") and feature.get("elderly_from") is None
    ]
    codes = [code_feature(feature["name"], feature.get("reason") or {}) for feature in scored]
    if not problems:
        twice = [code for code in dict.fromkeys(codes) if codes.count(code) > 1]
        problems += [f"reason.code {code}: stands for two features, declare another" for code in twice]
    return problems
